// Plots, each drawn when it is first near the window.

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
