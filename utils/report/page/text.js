// Elements, numbers as texts, and the page's own data.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 700px)");
const dark = matchMedia("(prefers-color-scheme: dark)");
const touch = matchMedia("(pointer: coarse)");

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
