// Runs that failed, notes and environments.

const column = (label, name, rest = {}) => ({ label, key: (item) => item[name] ?? null, cell: (item) => String(item[name] ?? "–"), ...rest });

function drawFailures() {
  const failed = data.runs.filter((run) => run.status !== "done");
  const counts = unique(failed.map((run) => run.status)).map((status) => `${whole(failed.filter((run) => run.status === status).length)} ${status}`);
  say($("failures-about"), failed.length ? `${counts.join(", ")} of ${count(data.runs.length, "run")}.` : data.runs.length ? "Every run is done." : "There are no runs.");
  if (failed.length) {
    $("failures-table").append(sortable("Failed and unfinished runs", [
      column("Run", "run_id", { class: "run-id" }), column("Model", "model"), column("Scenario", "scenario"), column("Seed", "seed", { number: true }),
      column("Status", "status"), column("Why", "error", { class: "error" }), column("Started", "started"),
    ], failed).box);
  }
  say($("problems-about"), data.problems.length ? "" : "Every record could be read.");
  if (data.problems.length) {
    $("problems-table").append(sortable("Unreadable records", [column("Record", "where", { class: "run-id" }), column("What is wrong", "message", { class: "error" })], data.problems).box);
  }
}

/** {a: {b: 1}} as ["a b", "1"]: every value of an environment by its path. */
function flat(value, path = "") {
  if (value && typeof value === "object" && !Array.isArray(value)) {
    return Object.entries(value).flatMap(([name, item]) => flat(item, path ? `${path} ${name}` : name));
  }
  return [[path, Array.isArray(value) ? value.join(", ") || "none" : String(value ?? "unknown")]];
}

function drawNotes() {
  $("notes-body").append(data.notes.length
    ? h("ul", { class: "plain-list" }, data.notes.map((note) => h("li", {}, note)))
    : h("p", { class: "muted" }, "There are no notes."));
  const numbers = data.environments.map((_, number) => data.runs.filter((run) => run.environment === number).length);
  $("environments").append(...(data.environments.length
    ? data.environments.map((environment, number) => {
        const facts = flat(environment).filter(([name]) => name);
        const head = ["python", "git_commit"].filter((name) => environment[name]).map((name) => `${name.replace("_", " ")} ${String(environment[name]).slice(0, 10)}`);
        return h("details", {}, h("summary", {}, [count(numbers[number], "run"), ...head].join(" · ")),
          facts.length ? h("dl", { class: "facts" }, facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])) : h("p", {}, "Nothing is known of it."));
      })
    : [h("p", { class: "muted" }, "No environment was recorded.")]));
}
