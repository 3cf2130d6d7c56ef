// The network of all subgraphs, or of those that are chosen.

const KINDS = {
  history: { symbol: "square", color: "--history" },
  item: { symbol: "circle", color: "--item" },
  entity: { symbol: "diamond", color: "--entity" },
};
// Where more nodes are seen than these, only centres and what several subgraphs share are named.
const MOST_NAMED = 90;
const picture = $("picture");
const choice = $("view");
// Half of what plotly.js takes for the size of a mark; a diamond of that size reaches further.
const radius = (node, { centres, nodes }) => (centres.has(node) ? 9 : nodes.length > 200 ? 3.5 : 4.5);
const reach = (node, view) => radius(node, view) * (data.nodes[node].kind === "entity" ? 1.4 : 1.1);
const pen = document.createElement("canvas").getContext("2d");
let shown = null;

function fillChoice() {
  const groups = new Map([["", choice]]);
  data.views.forEach(({ group, label }, number) => {
    if (!groups.has(group)) {
      groups.set(group, h("optgroup", { label: group }));
      choice.append(groups.get(group));
    }
    groups.get(group).append(h("option", { value: number }, label));
  });
  $("network-tools").hidden = data.views.length < 2;
}

/** A view with its nodes where they stand: [-1, 1] in both directions. */
function opened(view) {
  const at = new Map(view.nodes.map((node, place) => [node, { x: view.x[place], y: view.y[place] }]));
  return { ...view, at, centres: new Set(view.centres), shared: new Set(view.shared) };
}

function hover(node, { centres }) {
  const { name, kind, of } = data.nodes[node];
  const more = of.length > 4 ? ` and ${of.length - 4} more` : "";
  const within = of.length > 1 ? `<br>in the subgraphs of ${plain(of.slice(0, 4).join(", "))}${more}` : "";
  return `<b>${plain(name)}</b><br>${data.kinds[kind]}${centres.has(node) ? ", a centre" : ""}${within}`;
}

function lines({ links, at }) {
  const ends = links.map((link) => data.links[link].ends.map((end) => at.get(end)));
  const trace = { type: "scatter", x: ends.flatMap(([a, b]) => [a.x, b.x, null]), y: ends.flatMap(([a, b]) => [a.y, b.y, null]) };
  const middles = { type: "scatter", x: ends.map(([a, b]) => (a.x + b.x) / 2), y: ends.map(([a, b]) => (a.y + b.y) / 2) };
  return [
    { ...trace, mode: "lines", hoverinfo: "skip", line: { color: color("--muted"), width: 1 }, opacity: 0.45 },
    // A line answers to the pointer only at its ends, where nodes are.
    { ...middles, mode: "markers", marker: { size: 12, opacity: 0 }, hoverinfo: "text", hovertext: links.map((link) => data.links[link].triples.map(plain).join("<br>")) },
  ];
}

function marks(view) {
  return Object.entries(KINDS).map(([kind, { symbol, color: ink }]) => {
    const own = view.nodes.filter((node) => data.nodes[node].kind === kind);
    const ring = own.map((node) => view.centres.has(node));
    return {
      type: "scatter", mode: "markers", customdata: own, hoverinfo: "text", hovertext: own.map((node) => hover(node, view)),
      x: own.map((node) => view.at.get(node).x), y: own.map((node) => view.at.get(node).y),
      marker: {
        symbol, color: color(ink), opacity: 1, size: own.map((node) => 2 * radius(node, view)),
        line: { color: ring.map((is) => color(is ? "--ink" : "--card")), width: ring.map((is) => (is ? 2.5 : 1)) },
      },
    };
  });
}

/** The names that fit into what is seen of a view, as columns of a trace of texts. */
function names(view, [left, right], [low, high]) {
  const { nodes, at, centres, shared } = view;
  const box = { width: picture.clientWidth, height: picture.clientHeight };
  const [across, up] = [(right - left) / box.width, (high - low) / box.height];
  const rank = (node) => (centres.has(node) ? 0 : shared.has(node) ? 1 : 2);
  const seen = [...nodes].sort((a, b) => rank(a) - rank(b) || data.nodes[b].of.length - data.nodes[a].of.length).map((node) => ({
    x: (at.get(node).x - left) / across, y: (high - at.get(node).y) / up, radius: reach(node, view), label: data.nodes[node].label,
    needed: centres.has(node), rank: rank(node),
  })).filter(({ x, y }) => x >= 0 && y >= 0 && x <= box.width && y <= box.height);
  const most = seen.length <= MOST_NAMED ? 2 : 1;
  pen.font = `14px ${getComputedStyle(document.body).fontFamily}`;
  const placed = placeNames(seen.map((mark) => ({ ...mark, wanted: mark.rank <= most })), box, (label) => pen.measureText(label).width);
  return { x: placed.map(({ x }) => left + x * across), y: placed.map(({ y }) => high - y * up), text: placed.map(({ label }) => plain(label)) };
}

function draw() {
  shown = opened(data.views[choice.value]);
  // Room for names outside of the outermost nodes.
  const [wide, high] = narrow.matches ? [1.3, 1.08] : [1.22, 1.08];
  const ranges = [[-wide, wide], [-high, high]];
  picture.style.height = narrow.matches ? "600px" : "720px";
  const axis = { visible: false, automargin: false };
  const texts = { type: "scatter", mode: "text", hoverinfo: "skip", textfont: { size: 14, color: color("--ink") }, ...names(shown, ...ranges) };
  plot(picture, [...lines(shown), ...marks(shown), texts], {
    margin: { l: 0, r: 0, t: 0, b: 0 }, xaxis: { ...axis, range: ranges[0] }, yaxis: { ...axis, range: ranges[1] },
  });
  $("all").disabled = choice.value === "0";
  say($("shown"), `${count(shown.centres.size, "centre")}, ${count(shown.nodes.length, "node")} and ${count(shown.links.length, "line")} are shown.`);
  if (!picture.dataset.listens) listen();
}

function listen() {
  picture.dataset.listens = "true";
  // What is zoomed into has room for more names.
  picture.on("plotly_relayout", () => {
    const { xaxis, yaxis } = picture.layout;
    const { x, y, text } = names(shown, xaxis.range, yaxis.range);
    Plotly.restyle(picture, { x: [x], y: [y], text: [text] }, [picture.data.length - 1]);
  });
  picture.on("plotly_click", ({ points }) => {
    const alone = data.views.findIndex(({ centres }) => centres.length === 1 && points.some(({ customdata }) => customdata === centres[0]));
    if (alone >= 0) choose(alone);
  });
}

function choose(number) {
  choice.value = number;
  redraw();
}

fillChoice();
const redraw = lazily($("network"), draw);
choice.addEventListener("change", redraw);
$("all").addEventListener("click", () => choose(0));
for (const media of [narrow, dark, touch]) media.addEventListener("change", () => redraws.forEach((one) => one()));
