"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const MOST_IN_FOREST = 60;
  const LONG_TABLE = 25;
  const MOST_CURVES = 12;
  const FIRST_CURVES = 3;
  // The test whose p the table shows, which is the verdict's; the details have all of them.
  const SHOWN = "t";
  const TESTS = { t: "t", wilcoxon: "Wilcoxon", permutation: "permutation" };
  const VERDICTS = {
    better: { mark: "▲", symbol: "triangle-up", color: "--better" },
    "no difference shown": { mark: "●", symbol: "circle", color: "--muted" },
    worse: { mark: "▼", symbol: "triangle-down", color: "--worse" },
    unfair: { mark: "≠", symbol: "x-thin-open", color: "--warn" },
    "not tested": { mark: "○", symbol: "circle-open", color: "--muted" },
    baseline: { mark: "◆" },
  };
  const narrow = matchMedia("(max-width: 700px)");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)");

  // ---- Elements and numbers

  /** A new element; children are nodes or texts, and a text is never read as markup. */
  function h(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (name === "class") element.className = value;
      else if (value !== false && value !== null) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== ""));
    return element;
  }

  const known = (value) => value !== null && value !== undefined;
  const sub = (text, kind = "") => h("span", { class: `sub ${kind}` }, text);
  const minus = (text) => text.replace("-", "−");
  const fixed = (value, digits) => (known(value) ? minus(value.toFixed(digits)) : "–");
  const signed = (value, digits) => (known(value) ? (value > 0 ? "+" : "") + minus(value.toFixed(digits)) : "–");
  const percent = (value) => signed(known(value) ? value * 100 : null, 1) + (known(value) ? "%" : "");
  const chance = (value) => (!known(value) ? "–" : value < 0.001 ? "<0.001" : value.toFixed(3));
  const whole = (value, digits = 0) =>
    known(value) ? value.toLocaleString("en-US", { maximumFractionDigits: digits, minimumFractionDigits: digits }) : "–";
  const seconds = (value) => whole(value, value < 100 ? 1 : 0);
  const mebibytes = (bytes) => whole(known(bytes) ? bytes / 2 ** 20 : null);
  const interval = (of) => (known(of.low) && known(of.high) ? `[${signed(of.low, 4)}, ${signed(of.high, 4)}]` : "");
  const count = (number, one, many = `${one}s`) => `${whole(number)} ${number === 1 ? one : many}`;
  const unique = (values) => [...new Set(values)];
  const title = (group) => `${group.model} · ${group.variant}`;

  function say(element, text) {
    element.textContent = text;
    element.hidden = !text;
  }

  // ---- A table that sorts

  const collator = new Intl.Collator(undefined, { numeric: true });

  const right = (column) => (column.number && !column.text ? "number" : "");

  /**
   * columns: {label, key(item), cell(item), number, text, head, class}. key is what is sorted by: a number, a text, or
   * null where it is missing, and what is missing comes last either way. text: shown as a text though sorted by a
   * number. The caller appends `box`.
   */
  function sortable(name, columns, items, { spans = [], rowClass = () => "", sorted = () => {} } = {}) {
    const heads = columns.map((column) =>
      column.key
        ? h("th", { scope: "col", class: `${right(column)} ${column.class ?? ""}`, "aria-sort": "none" },
            h("button", { type: "button", onclick: () => sortBy(column) }, column.label))
        : h("th", { scope: "col", class: "plain" }, column.label));
    const body = h("tbody");
    const over = spans.length ? h("tr", {}, spans.map(([width, text]) => h("th", { class: "over", colspan: width, scope: "colgroup" }, text))) : null;
    const table = h("table", {}, h("thead", {}, over, h("tr", {}, heads)), body);
    const box = h("div", { class: items.length > LONG_TABLE ? "scroll long" : "scroll", tabindex: "0", role: "region", "aria-label": name }, table);
    const rows = items.map((item, index) => ({ item, index, row: h("tr"), details: null }));
    let order = rows;
    let by = null;
    let direction = 1;

    function cellOf(column, item) {
      const attributes = column.head ? { scope: "row" } : { class: `${right(column)} ${column.class ?? ""}` };
      return h(column.head ? "th" : "td", attributes, column.cell(item));
    }

    function fill() {
      for (const { item, row } of rows) {
        row.className = rowClass(item);
        row.replaceChildren(...columns.map((column) => cellOf(column, item)));
      }
    }

    /** Fill again the columns of which `which` is true. */
    function refill(which) {
      for (const { item, row } of rows) {
        row.className = rowClass(item);
        columns.forEach((column, at) => which(column) && row.replaceChild(cellOf(column, item), row.children[at]));
      }
      if (by && which(by)) arrange();
    }

    function arrange() {
      if (by) {
        const keyed = rows.map((entry) => ({ entry, key: by.key(entry.item) }));
        const compare = by.number ? (a, b) => a - b : collator.compare;
        keyed.sort((a, b) => {
          if (!known(a.key) || !known(b.key)) return known(b.key) - known(a.key) || a.entry.index - b.entry.index;
          return direction * compare(a.key, b.key) || a.entry.index - b.entry.index;
        });
        order = keyed.map(({ entry }) => entry);
      }
      const all = document.createDocumentFragment();
      for (const { row, details } of order) all.append(row, ...(details ? [details] : []));
      body.append(all);
    }

    function sortBy(column) {
      direction = by === column ? -direction : 1;
      by = column;
      heads.forEach((head, at) => {
        if (columns[at].key) head.setAttribute("aria-sort", columns[at] !== by ? "none" : direction > 0 ? "ascending" : "descending");
      });
      arrange();
      sorted();
    }

    function show(passes) {
      for (const { item, row, details } of rows) {
        row.hidden = !passes(item);
        if (details) details.hidden = row.hidden || details.dataset.open !== "yes";
      }
    }

    /** Open or close the row below `item`'s, which `make` makes when it is first opened. */
    function toggle(item, id, make) {
      const entry = rows.find((candidate) => candidate.item === item);
      if (!entry.details) {
        entry.details = h("tr", { class: "details", id }, h("td", { colspan: columns.length }, make(item)));
        entry.row.after(entry.details);
      }
      const open = entry.details.dataset.open !== "yes";
      entry.details.dataset.open = open ? "yes" : "no";
      entry.details.hidden = !open;
      return open;
    }

    fill();
    arrange();
    return { box, refill, show, toggle, inOrder: () => order.map(({ item }) => item), lastSpan: over?.lastChild };
  }

  /** A small table of texts and nodes that does not sort: columns are [label, is a number]. */
  function plainTable(name, columns, rows) {
    const head = columns.map(([label, number]) => h("th", { scope: "col", class: number ? "plain number" : "plain" }, label));
    const body = rows.map((cells) => h("tr", {}, cells.map((cell, at) => h("td", { class: columns[at][1] ? "number" : "" }, cell))));
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name },
      h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)));
  }

  // ---- What is known of the groups

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

  // ---- Head

  const done = data.runs.filter((run) => run.status === "done").length;
  const tiles = [["groups", whole(groups.length)], ["runs done", `${whole(done)} of ${whole(data.runs.length)}`]];
  if (groups.length) tiles.push([datasets.length === 1 ? "dataset" : "datasets", datasets.slice(0, 3).join(", ") + (datasets.length > 3 ? " …" : "")]);
  if (compared.length) tiles.push(["compared metric", data.primary]);
  $("tiles").append(...tiles.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));

  // ---- Comparison

  let table = null;
  let costTable = null;

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
    const columns = [
      { label: "Model", key: (group) => group.model, cell: modelCell },
      { label: "Variant", head: true, key: (group) => group.variant, cell: nameCell },
      { label: "Seeds", number: true, key: (group) => group.n, cell: (group) => whole(group.n) },
      ...data.metrics.map((name) => ({
        label: name, number: true, key: (group) => group.metrics[name]?.mean ?? null,
        cell: (group) => fixed(group.metrics[name]?.mean, 4) + (known(group.metrics[name]?.sd) ? ` ± ${fixed(group.metrics[name].sd, 4)}` : ""),
      })),
    ];
    if (!compared.length) return columns;
    return [
      ...columns,
      { label: "Gain [95%]", number: true, metric: true, key: (group) => found(group)?.gain ?? null, cell: gainCell },
      number("Effect size", (of) => of.effect_users ?? null, (value) => signed(value, 2)),
      number("p over seeds", (of) => of.p_seeds?.[SHOWN] ?? null, chance),
      number("p over users", (of) => of.p_users?.[SHOWN] ?? null, chance),
      number("Holm", (of) => of.holm ?? null, chance),
      number("BH", (of) => of.bh ?? null, chance),
      // By rank, so that better comes first and what could not be judged last.
      { label: "Verdict", number: true, text: true, metric: true, key: verdictRank, cell: verdictCell, class: "judged" },
    ];
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
    $("model").append(h("option", { value: "" }, "All models"), ...unique(groups.map((group) => group.model)).map((name) => h("option", { value: name }, name)));
    $("metric").append(...comparedMetrics.map((name) => h("option", { value: name, selected: name === state.metric }, name)));
    if (!groups.length) return;
    const columns = comparisonColumns();
    const spans = [[3, ""], [data.metrics.length, "Test metrics"], [columns.length - 3 - data.metrics.length, ""]];
    table = sortable("Comparison", columns, groups, {
      spans: spans.filter(([width]) => width), sorted: redrawGains,
      rowClass: (group) => `${verdict(group) === "unfair" ? "unfair" : ""} ${group.control ? "control" : ""}`,
    });
    $("comparison-table").append(table.box);
    $("filter").addEventListener("submit", (event) => event.preventDefault());
    $("words").addEventListener("input", () => { state.words = $("words").value.toLowerCase().split(/\s+/).filter(Boolean); update(); });
    $("model").addEventListener("change", () => { state.model = $("model").value; update(); });
    $("metric").addEventListener("change", () => { state.metric = $("metric").value; table.refill((column) => column.metric); update(); });
  }

  function update() {
    const shown = groups.filter(passes);
    const visible = new Set(shown);
    table?.show((group) => visible.has(group));
    costTable?.show((group) => visible.has(group));
    say($("shown"), groups.length ? `${whole(shown.length)} of ${whole(groups.length)} shown` : "");
    if (compared.length) {
      table.lastSpan.textContent = `${state.metric} against the baseline`;
      const counts = Object.keys(VERDICTS).map((word) => [word, shown.filter((group) => found(group)?.verdict === word).length]);
      $("verdicts").replaceChildren(...counts.filter(([, of]) => of).map(([word, of]) => verdictMark(word, of)));
    }
    redrawGains();
  }

  // ---- Details of one group

  function testRows(name, of) {
    const row = (over, size, effect, tests, better) =>
      [name, `${over} (${known(size) ? whole(size) : "–"})`, signed(effect, 2), ...Object.keys(TESTS).map((test) => chance(tests?.[test])), chance(better)];
    return [
      row("users", of.n_users, of.effect_users, of.p_users, of.p_better_users),
      row("seeds", of.n_seeds, of.effect_seeds, of.p_seeds, of.p_better_seeds),
    ].filter((_, at) => [of.n_users, of.n_seeds][at]);
  }

  function comparisonDetails({ baseline_name: name, unfair, note, metrics }) {
    const measured = data.metrics.filter((metric) => metrics[metric]);
    const gains = measured.map((metric) => {
      const of = metrics[metric];
      return [metric, signed(of.gain, 4), percent(of.relative), interval(of) || "–", chance(of.holm), chance(of.bh), verdictMark(of.verdict)];
    });
    const tests = [["Metric"], ["Over"], ["Effect size", true], ...Object.values(TESTS).map((test) => [`p, ${test}`, true]), ["p, one-sided", true]];
    return [
      h("h4", {}, `Against ${name}`),
      unfair.length ? [h("p", {}, "Not a fair pair; these differ besides the transfer:"), h("ul", { class: "plain-list" }, unfair.map((reason) => h("li", {}, reason)))] : [],
      note ? h("p", {}, note) : [],
      measured.length ? [
        plainTable("Gains", [["Metric"], ["Gain", true], ["Relative", true], ["95% interval", true], ["Holm", true], ["BH", true], ["Verdict"]], gains),
        h("h4", {}, "Tests"),
        plainTable("Tests", tests, measured.flatMap((metric) => testRows(metric, metrics[metric]))),
      ] : [],
    ].flat(2);
  }

  function slicesDetails(slices) {
    const columns = [["Slice"], ["Users", true], ["Baseline", true], ["This variant", true], ["Gain", true], ["95% interval", true]];
    return [
      h("h4", {}, `Slices, ${data.primary}`),
      plainTable("Slices", columns, slices.map((slice) => [
        slice.name, whole(slice.n_users), fixed(slice.baseline, 4), fixed(slice.value, 4), signed(slice.gain, 4), interval(slice) || "–",
      ])),
    ];
  }

  function details(group) {
    const facts = [["Scenario", group.scenario], ["Dataset", group.dataset], ["Ranking", group.ranking], ["Seeds", group.seeds.join(", ")]];
    const runs = runsOf.get(group.id);
    const drawable = runs.some((run) => run.curves.length);
    return h("div", { class: "detail" },
      h("h3", {}, title(group)),
      h("dl", { class: "facts" }, facts.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      group.comparison ? comparisonDetails(group.comparison) : group.why_not_compared ? h("p", {}, `Not compared: ${group.why_not_compared}.`) : [],
      group.slices.length ? slicesDetails(group.slices) : [],
      h("h4", {}, "Runs"),
      runs.length
        ? plainTable("Runs", [["Run"], ["Seed", true], ["Status"], ["Seconds", true], ["Started"]],
            runs.map((run) => [run.run_id, String(run.seed ?? "–"), run.status, seconds(run.cost?.seconds ?? null), run.started ?? "–"]))
        : h("p", {}, "The records of its runs are not in this report."),
      drawable ? h("p", {}, h("button", { type: "button", onclick: () => { chooseOnly(group.id); $("curves").scrollIntoView(); } }, "Draw its curves")) : [],
      h("h4", {}, "Resolved scenario"),
      group.yaml ? h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Resolved scenario" }, h("pre", {}, group.yaml)) : h("p", {}, "It was not kept."));
  }

  // ---- Plots, each drawn when it is first near the window

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  /** Plotly reads tags and $formulas$ in its texts; data is shown as it is. */
  const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("$", "&#36;");
  const redraws = [];

  function lazily(element, draw) {
    let near = false;
    let due = 0;
    const redraw = () => {
      if (!near || due) return;
      due = requestAnimationFrame(() => { due = 0; draw(); });
    };
    const start = () => new IntersectionObserver((entries, observer) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      near = true;
      redraw();
    }, { rootMargin: "300px" }).observe(element);
    // plotly.js stands below this script, so that the tables are there before it is read.
    document.addEventListener("DOMContentLoaded", start);
    redraws.push(redraw);
    return redraw;
  }

  function plot(element, traces, { xaxis, yaxis, ...layout }) {
    const axis = { gridcolor: color("--rule"), linecolor: color("--rule"), zeroline: false, automargin: true, fixedrange: touch.matches };
    Plotly.react(element, traces, {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
      font: { family: getComputedStyle(document.body).fontFamily, size: 14, color: color("--ink") },
      hoverlabel: { bgcolor: color("--card"), bordercolor: color("--rule"), font: { size: 14, color: color("--ink") }, align: "left", namelength: -1 },
      dragmode: touch.matches ? false : "zoom", margin: { l: 8, r: 16, t: 12, b: 48 },
      xaxis: { ...axis, ...xaxis }, yaxis: { ...axis, ...yaxis }, ...layout,
    }, { responsive: true, displaylogo: false, displayModeBar: touch.matches ? false : "hover", modeBarButtons: [["toImage", "resetScale2d"]], toImageButtonOptions: { format: "svg" } });
  }

  // ---- Gains

  function cut(text, length) {
    return text.length > length ? `${text.slice(0, length - 1)}…` : text;
  }

  function drawGains() {
    const passing = table ? table.inOrder().filter((group) => passes(group) && known(found(group)?.gain)) : [];
    const drawn = passing.slice(0, MOST_IN_FOREST);
    const about = !compared.length
      ? "No variant has a baseline to be compared with, so there are no gains to draw."
      : !drawn.length
        ? `No group that passes the filter above was compared by ${state.metric}.`
        : `Gain in ${state.metric} over the baseline with its 95% interval, in the order of the table. ` +
          (passing.length > drawn.length
            ? `The first ${MOST_IN_FOREST} of ${whole(passing.length)} compared groups that pass the filter above are drawn.`
            : `${count(passing.length, "compared group")} ${passing.length === 1 ? "passes" : "pass"} the filter above.`);
    say($("gains-about"), about);
    $("gains-plot").hidden = !drawn.length;
    if (!drawn.length) return;
    const names = drawn.map((group) => title(group) + (datasets.length > 1 ? ` · ${group.dataset}` : "") + (group.control ? " (control)" : ""));
    const words = Object.keys(VERDICTS).filter((word) => drawn.some((group) => verdict(group) === word));
    const traces = words.map((word) => {
      const at = drawn.flatMap((group, index) => (verdict(group) === word ? [index] : []));
      const of = at.map((index) => found(drawn[index]));
      const ink = color(VERDICTS[word].color);
      return {
        type: "scatter", mode: "markers", name: word, showlegend: true, x: of.map(({ gain }) => gain), y: at,
        marker: { color: ink, symbol: VERDICTS[word].symbol, size: 11, line: { color: ink, width: 2 } },
        error_x: {
          type: "data", symmetric: false, color: ink, thickness: 2, width: 4,
          array: of.map(({ gain, high }) => (known(high) ? high - gain : null)), arrayminus: of.map(({ gain, low }) => (known(low) ? gain - low : null)),
        },
        hovertext: at.map((index, nth) => `${plain(names[index])}<br>${signed(of[nth].gain, 4)} ${interval(of[nth])}<br>${word}`), hoverinfo: "text",
      };
    });
    const step = narrow.matches ? 52 : 30;
    const annotations = names.map((name, index) => ({
      xref: "paper", x: 0, xanchor: "left", y: index, yshift: 20, showarrow: false, align: "left", bgcolor: color("--paper"), text: plain(cut(name, 40)),
    }));
    plot($("gains-plot"), traces, {
      height: 130 + step * drawn.length, margin: { l: 8, r: 16, t: 44, b: 56 },
      xaxis: { title: { text: `gain in ${plain(state.metric)}` }, zeroline: true, zerolinecolor: color("--ink"), zerolinewidth: 2, rangemode: "tozero", nticks: narrow.matches ? 4 : 10 },
      yaxis: {
        range: [drawn.length - 0.4, narrow.matches ? -0.9 : -0.6], tickvals: names.map((_, index) => index), ticktext: names.map((name) => plain(cut(name, 56))),
        showticklabels: !narrow.matches, fixedrange: true, ticklabelstandoff: 8,
      },
      annotations: narrow.matches ? annotations : [],
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1, yanchor: "bottom", yref: "paper" }, showlegend: !narrow.matches,
    });
  }

  const redrawGains = lazily($("gains"), drawGains);

  // ---- Curves

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

  // ---- Cost

  function drawCost() {
    const measures = [
      ["seconds", "Seconds", seconds], ["cpu_s", "CPU seconds", seconds], ["energy_j", "Energy, J", seconds], ["memory_bytes", "Peak memory, MiB", mebibytes],
    ];
    const names = { seconds: "seconds", cpu_s: "CPU seconds", energy_j: "energy", memory_bytes: "peak memory" };
    const most = (name) => Math.max(...groups.map((group) => group.cost[name] ?? -1));
    const measured = measures.filter(([name]) => groups.length && most(name) >= 0);
    if (!measured.length) return say($("cost-about"), "No run has measured what it cost.");
    const missing = measures.filter((measure) => !measured.includes(measure)).map(([name]) => names[name]);
    say($("cost-about"), `Means over the runs of each group that passes the filter above.${missing.length ? ` Not measured: ${missing.join(", ")}.` : ""}`);
    costTable = sortable("Cost", [
      { label: "Model", key: (group) => group.model, cell: (group) => group.model },
      { label: "Variant", head: true, key: (group) => group.variant, cell: (group) => group.variant },
      { label: "Runs", number: true, key: (group) => group.n, cell: (group) => whole(group.n) },
      ...measured.map(([name, label, show]) => {
        const longest = most(name);
        return {
          label, number: true, class: "with-bar", key: (group) => group.cost[name] ?? null,
          cell: (group) => {
            const value = group.cost[name] ?? null;
            const bar = h("span", { class: "bar" });
            bar.style.width = `${(100 * value) / (longest || 1)}%`;
            return known(value) ? [show(value), bar] : "–";
          },
        };
      }),
    ], groups);
    $("cost-table").append(costTable.box);
  }

  // ---- Failures, notes, environments

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

  drawComparison();
  drawCost();
  setUpCurves();
  drawFailures();
  drawNotes();
  update();
  for (const media of [narrow, dark, touch]) media.addEventListener("change", () => redraws.forEach((redraw) => redraw()));
  dark.addEventListener("change", () => choices.length && chosenChanged());
})();
