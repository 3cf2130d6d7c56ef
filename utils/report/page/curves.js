// Losses and validation by epoch of the groups that are ticked.

const MOST_CURVES = 12;
const FIRST_CURVES = 3;

const DASHES = ["solid", "dash", "dot", "dashdot"];
const STROKES = { solid: "", dash: "9 6", dot: "2 4", dashdot: "9 4 2 4" };
const lone = data.runs.filter((run) => !runsOf.has(run.group) && run.curves.length);
const choices = [
  ...groups.filter((group) => runsOf.get(group.id).some((run) => run.curves.length))
    .map((group) => ({ id: group.id, name: title(group), runs: runsOf.get(group.id) })),
  ...lone.map((run) => ({ id: `run ${run.run_id}`, name: `${run.run_id} (${run.status})`, runs: [run] })),
];
const boxes = new Map();
const drawnChoices = () => choices.filter(({ id }) => boxes.get(id).checked).slice(0, MOST_CURVES);
const look = (at) => ({ color: color(`--line-${at % 8}`), dash: DASHES[Math.floor(at / 8) % 4] });

function panel(id, missing, series) {
  const element = $(id);
  const stage = $("stage").value;
  const traces = drawnChoices().flatMap((choice, at) => choice.runs.flatMap((run) => {
    const curve = run.curves.find((candidate) => String(candidate.stage) === stage);
    const values = (curve && series(curve)) ?? [];
    if (!values.some(known)) return [];
    return [{
      type: "scatter", mode: values.filter(known).length < 3 ? "lines+markers" : "lines", x: curve.epochs, y: values, connectgaps: true,
      line: { ...look(at), width: 1.8 }, hovertemplate: `${plain(choice.name)}<br>seed ${plain(run.seed ?? "–")}, epoch %{x}: %{y:.5g}<extra></extra>`,
    }];
  }));
  say(element.previousElementSibling, traces.length ? "" : missing);
  element.hidden = !traces.length;
  if (traces.length) plot(element, traces, { height: 340, xaxis: { title: { text: "epoch" }, nticks: 7, rangemode: "tozero" }, yaxis: { nticks: 6 } });
}

function drawCurves() {
  const metric = $("valid").value;
  panel("model-loss", "No chosen group has a model loss in this training.", (curve) => curve.losses[0]);
  panel("transfer-loss", "No chosen group has a transfer loss in this training.", (curve) => curve.losses[1]);
  panel("valid-plot", "No chosen group was validated in this training.", (curve) => curve.valid[metric]);
}

function swatch(at) {
  const { color: stroke, dash } = look(at);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
  for (const [name, value] of Object.entries({ width: 36, height: 6, "aria-hidden": "true" })) svg.setAttribute(name, value);
  for (const [name, value] of Object.entries({ x1: 0, x2: 36, y1: 3, y2: 3, stroke, "stroke-width": 3, "stroke-dasharray": STROKES[dash] })) line.setAttribute(name, value);
  svg.append(line);
  return svg;
}

function chosenChanged() {
  const ticked = choices.filter(({ id }) => boxes.get(id).checked).length;
  const most = ticked > MOST_CURVES ? `; the first ${MOST_CURVES} are drawn` : "";
  say($("chosen"), `${whole(ticked)} of ${whole(choices.length)} ticked${most}`);
  $("legend").replaceChildren(...drawnChoices().map(({ name }, at) => h("li", {}, swatch(at), name)));
  redrawCurves();
}

function chooseOnly(id) {
  for (const [key, box] of boxes) box.checked = key === id;
  chosenChanged();
}

function setUpCurves() {
  $("curves-body").hidden = !choices.length;
  if (!choices.length) return say($("curves-about"), "No run has kept its losses by epoch, so there are no curves.");
  const curves = choices.flatMap(({ runs }) => runs.flatMap((run) => run.curves));
  const metrics = unique(curves.flatMap((curve) => Object.keys(curve.valid)));
  const stages = unique(curves.map((curve) => String(curve.stage))).sort(collator.compare);
  const thinned = data.curve_step > 1 ? ` One of every ${data.curve_step} epochs is kept, and the last, so that the page stays small.` : "";
  say($("curves-about"), `One line for each run; the runs of a group share a colour and a dash.${thinned}`);
  $("stage").append(...stages.map((stage) => h("option", { value: stage }, stage)));
  $("stage").parentElement.hidden = stages.length < 2;
  $("valid").append(...metrics.map((name) => h("option", { value: name, selected: name === data.primary }, name)));
  $("valid").parentElement.hidden = metrics.length < 2;
  const rows = choices.map(({ id, name }, at) => {
    const box = h("input", { type: "checkbox", checked: at < FIRST_CURVES, onchange: chosenChanged });
    boxes.set(id, box);
    return { name: name.toLowerCase(), label: h("label", {}, box, h("span", {}, name)) };
  });
  $("choice-list").classList.toggle("long", choices.length > LONG_TABLE);
  $("choice-list").append(...rows.map(({ label }) => label));
  $("choice-words").addEventListener("input", () => {
    const words = $("choice-words").value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const { name, label } of rows) label.hidden = !words.every((word) => name.includes(word));
  });
  $("choose-none").addEventListener("click", () => chooseOnly(null));
  const named = () => { $("valid-name").textContent = $("valid").value; };
  for (const id of ["stage", "valid"]) $(id).addEventListener("change", () => { named(); redrawCurves(); });
  named();
  chosenChanged();
}

const redrawCurves = lazily($("curves"), () => choices.length && drawCurves());
