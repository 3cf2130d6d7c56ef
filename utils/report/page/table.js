// Tables: one that sorts, and a plain one for the details.

const LONG_TABLE = 25;

const collator = new Intl.Collator(undefined, { numeric: true });

const right = (column) => (column.number && !column.text ? "number" : "");

/**
 * columns: {label, key(item), cell(item), number, text, head, class}. key is what is sorted by: a number, a text, or
 * null where it is missing, and what is missing comes last either way. text: shown as a text though sorted by a
 * number. spans: [columns, what stands over them]. The caller appends `box`.
 */
function sortable(name, columns, items, { spans = [], rowClass = () => "", sorted = () => {} } = {}) {
  const heads = columns.map((column) =>
    column.key
      ? h("th", { scope: "col", class: `${right(column)} ${column.class ?? ""}`, "aria-sort": "none" },
          h("button", { type: "button", onclick: () => sortBy(column) }, column.label))
      : h("th", { scope: "col", class: "plain" }, column.label));
  const body = h("tbody");
  const over = spans.length ? h("tr", {}, spans.map(([of, text]) => h("th", { class: "over", colspan: of.length, scope: "colgroup" }, text))) : null;
  const table = h("table", {}, h("thead", {}, over, h("tr", {}, heads)), body);
  const box = h("div", { class: items.length > LONG_TABLE ? "scroll long" : "scroll", tabindex: "0", role: "region", "aria-label": name }, table);
  const rows = items.map((item, index) => ({ item, index, row: h("tr"), details: null }));
  let order = rows;
  let by = null;
  let direction = 1;

  function cellOf(column, item) {
    const attributes = column.head ? { scope: "row" } : { class: `${right(column)} ${column.class ?? ""}` };
    return h(column.head ? "th" : "td", { ...attributes, hidden: Boolean(column.hidden) }, column.cell(item));
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

  function hideColumns(which) {
    columns.forEach((column, at) => {
      const hidden = Boolean(which(column));
      if (hidden === Boolean(column.hidden)) return;
      column.hidden = hidden;
      for (const cell of [heads[at], ...rows.map(({ row }) => row.children[at])]) cell.hidden = hidden;
    });
    spans.forEach(([of], at) => { over.children[at].colSpan = of.filter(({ hidden }) => !hidden).length; });
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
  return { box, refill, show, hideColumns, toggle, inOrder: () => order.map(({ item }) => item) };
}

/** A small table of texts and nodes that does not sort: columns are [label, is a number]. */
function plainTable(name, columns, rows) {
  const head = columns.map(([label, number]) => h("th", { scope: "col", class: number ? "plain number" : "plain" }, label));
  const body = rows.map((cells) => h("tr", {}, cells.map((cell, at) => h("td", { class: columns[at][1] ? "number" : "" }, cell))));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name },
    h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)));
}
