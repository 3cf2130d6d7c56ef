// The gains over the baselines with their intervals.

// A long name is cut, so what a control is stands at its end.
const CONTROLS = { random: "random vectors", shuffled: "wrong owners" };

const MOST_IN_FOREST = 60;

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
  const names = drawn.map((group) => title(group) + (datasets.length > 1 ? ` · ${group.dataset}` : "") + (group.control ? ` (${CONTROLS[group.control] ?? "control"})` : ""));
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
