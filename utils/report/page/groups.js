// What is known of the groups, and which of them the reader has asked for.

const VERDICTS = {
  better: { mark: "▲", symbol: "triangle-up", color: "--better" },
  "no difference shown": { mark: "●", symbol: "circle", color: "--muted" },
  worse: { mark: "▼", symbol: "triangle-down", color: "--worse" },
  unfair: { mark: "≠", symbol: "x-thin-open", color: "--warn" },
  "not tested": { mark: "○", symbol: "circle-open", color: "--muted" },
  baseline: { mark: "◆" },
};

const groups = data.groups;
const runsOf = new Map(groups.map((group) => [group.id, []]));
for (const run of data.runs) runsOf.get(run.group)?.push(run);
const baselines = new Set(groups.map((group) => group.comparison?.baseline));
const compared = groups.filter((group) => group.comparison);
const comparedMetrics = data.metrics.filter((name) => compared.some((group) => group.comparison.metrics[name]));
const datasets = unique(groups.map((group) => group.dataset));
const rankings = unique(groups.map((group) => group.ranking));
const state = {
  words: [],
  model: "",
  metric: comparedMetrics.includes(data.primary) ? data.primary : (comparedMetrics[0] ?? data.primary),
};

const found = (group) => group.comparison?.metrics[state.metric] ?? null;
const verdict = (group) => found(group)?.verdict ?? (baselines.has(group.id) ? "baseline" : null);
const texts = new Map(groups.map((group) => [group, [
  group.model, group.variant, group.scenario, group.dataset, group.ranking, group.control ? "control" : "",
].join(" ").toLowerCase()]));

function passes(group) {
  if (state.model && group.model !== state.model) return false;
  const text = `${texts.get(group)} ${verdict(group) ?? ""}`;
  return state.words.every((word) => text.includes(word));
}

function verdictMark(word, number = null) {
  return h("span", { class: `verdict is-${word.replaceAll(" ", "-")}` },
    h("span", { class: "mark", "aria-hidden": "true" }, VERDICTS[word]?.mark ?? "·"), known(number) ? `${whole(number)} ` : "", word);
}

function drawHead() {
  const done = data.runs.filter((run) => run.status === "done").length;
  const tiles = [["groups", whole(groups.length)], ["runs done", `${whole(done)} of ${whole(data.runs.length)}`]];
  if (groups.length) tiles.push([datasets.length === 1 ? "dataset" : "datasets", datasets.slice(0, 3).join(", ") + (datasets.length > 3 ? " …" : "")]);
  if (compared.length) tiles.push(["compared metric", data.primary]);
  $("tiles").append(...tiles.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}
