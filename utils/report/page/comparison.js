// The table of the comparison and its filter.

// The test whose p the table shows, which is the verdict's; the details have all of them.
const SHOWN = "t";
// Of more test metrics than three, those beyond the first two and the compared one are shown on demand.
const FIRST_METRICS = 2;
const fewMetrics = data.metrics.length <= FIRST_METRICS + 1;

let table = null;
let costTable = null;
const againstHead = h("span");
const testsHead = h("span");

function nameCell(group) {
  const lines = [];
  const about = [datasets.length > 1 ? group.dataset : "", rankings.length > 1 ? group.ranking : ""].filter(Boolean);
  if (group.comparison) lines.push(sub(`against ${group.comparison.baseline_name}`));
  if (about.length) lines.push(sub(about.join(", ")));
  return [group.variant, group.control ? [" ", h("span", { class: "tag" }, "control")] : [], lines].flat();
}

function modelCell(group) {
  const id = `details-${group.id}`;
  const button = h("button", {
    type: "button", class: "expand", "aria-expanded": "false", "aria-controls": id, "aria-label": `Details of ${title(group)}`,
    onclick: () => button.setAttribute("aria-expanded", String(table.toggle(group, id, details))),
  });
  return h("span", { class: "named" }, button, group.model);
}

function gainCell(group) {
  const of = found(group);
  if (!known(of?.gain)) return "–";
  return [signed(of.gain, 4), known(of.relative) ? ` (${percent(of.relative)})` : "", interval(of) ? sub(interval(of)) : ""];
}

function verdictCell(group) {
  const word = verdict(group);
  if (!word) return group.why_not_compared ? ["–", sub(group.why_not_compared, "open")] : "–";
  const { unfair = [], note = "" } = group.comparison ?? {};
  const more = unfair.length > 1 ? ` and ${unfair.length - 1} more` : "";
  const why = unfair.length ? unfair[0] + more : word === "not tested" ? note : "";
  return [verdictMark(word), why ? sub(why, "open") : ""];
}

const number = (label, key, show) => ({ label, number: true, metric: true, key: (group) => key(found(group) ?? {}), cell: (group) => show(key(found(group) ?? {})) });
const verdictRank = (group) => { const at = Object.keys(VERDICTS).indexOf(verdict(group)); return at < 0 ? null : at; };

function comparisonColumns() {
  const names = [
    { label: "Model", key: (group) => group.model, cell: modelCell },
    { label: "Variant", head: true, key: (group) => group.variant, cell: nameCell },
    { label: "Seeds", number: true, key: (group) => group.n, cell: (group) => whole(group.n) },
  ];
  const metrics = data.metrics.map((name) => ({
    label: name, level: name, number: true, key: (group) => group.metrics[name]?.mean ?? null,
    cell: (group) => fixed(group.metrics[name]?.mean, 4) + (known(group.metrics[name]?.sd) ? ` ± ${fixed(group.metrics[name].sd, 4)}` : ""),
  }));
  if (!compared.length) return { names, gains: [], metrics, tests: [] };
  const gains = [
    // By rank, so that better comes first and what could not be judged last.
    { label: "Verdict", number: true, text: true, metric: true, key: verdictRank, cell: verdictCell },
    { label: "Gain [95%]", number: true, metric: true, key: (group) => found(group)?.gain ?? null, cell: gainCell },
  ];
  const tests = [
    number("Effect size", (of) => of.effect_users ?? null, (value) => signed(value, 2)),
    number("p over seeds", (of) => of.p_seeds?.[SHOWN] ?? null, chance),
    number("p over users", (of) => of.p_users?.[SHOWN] ?? null, chance),
    number("Holm", (of) => of.holm ?? null, chance),
    number("BH", (of) => of.bh ?? null, chance),
  ];
  return { names, gains, metrics, tests };
}

function drawComparison() {
  const about = [];
  if (!groups.length) about.push("No run has been tested, so there is nothing to compare.");
  else {
    about.push("One row for each variant; metrics are mean ± standard deviation over its seeds.");
    if (datasets.length === 1) about.push(`Dataset ${datasets[0]}.`);
    if (rankings.length === 1 && rankings[0]) about.push(`Ranking: ${rankings[0]}.`);
    if (compared.length) {
      about.push("The effect size is that over users; p over seeds and over users are those of t-tests. Open a row for the other tests.");
    } else about.push("No variant has a baseline to be compared with.");
  }
  say($("comparison-about"), about.join(" "));
  $("filter").hidden = !groups.length;
  $("metric-label").hidden = !compared.length;
  $("all-metrics-label").hidden = fewMetrics;
  say($("all-metrics-text"), `All ${data.metrics.length} test metrics`);
  $("model").append(h("option", { value: "" }, "All models"), ...unique(groups.map((group) => group.model)).map((name) => h("option", { value: name }, name)));
  $("metric").append(...comparedMetrics.map((name) => h("option", { value: name, selected: name === state.metric }, name)));
  if (!groups.length) return;
  const { names, gains, metrics, tests } = comparisonColumns();
  const spans = [[names, ""], [gains, againstHead], [metrics, "Test metrics"], [tests, testsHead]].filter(([columns]) => columns.length);
  table = sortable("Comparison", spans.flatMap(([columns]) => columns), groups, {
    spans, sorted: redrawGains,
    rowClass: (group) => `${verdict(group) === "unfair" ? "unfair" : ""} ${group.control ? "control" : ""}`,
  });
  $("comparison-table").append(table.box);
  $("filter").addEventListener("submit", (event) => event.preventDefault());
  $("words").addEventListener("input", () => { state.words = $("words").value.toLowerCase().split(/\s+/).filter(Boolean); update(); });
  $("model").addEventListener("change", () => { state.model = $("model").value; update(); });
  $("metric").addEventListener("change", () => { state.metric = $("metric").value; table.refill((column) => column.metric); update(); });
  $("all-metrics").addEventListener("change", update);
}

function update() {
  const shown = groups.filter(passes);
  const visible = new Set(shown);
  const levels = new Set(fewMetrics || $("all-metrics").checked ? data.metrics : [...data.metrics.slice(0, FIRST_METRICS), state.metric]);
  table?.show((group) => visible.has(group));
  table?.hideColumns(({ level }) => level && !levels.has(level));
  costTable?.show((group) => visible.has(group));
  say($("shown"), groups.length ? `${whole(shown.length)} of ${whole(groups.length)} shown` : "");
  if (compared.length) {
    againstHead.textContent = `${state.metric} against the baseline`;
    testsHead.textContent = `Tests of the gain in ${state.metric}`;
    const counts = Object.keys(VERDICTS).map((word) => [word, shown.filter((group) => found(group)?.verdict === word).length]);
    $("verdicts").replaceChildren(...counts.filter(([, of]) => of).map(([word, of]) => verdictMark(word, of)));
  }
  redrawGains();
}
