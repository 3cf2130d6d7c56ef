// What opens below a row of the comparison.

const TESTS = { t: "t", wilcoxon: "Wilcoxon", permutation: "permutation" };

function testRows(name, of) {
  const row = (over, size, effect, tests, better) =>
    [name, `${over} (${known(size) ? whole(size) : "–"})`, signed(effect, 2), ...Object.keys(TESTS).map((test) => chance(tests?.[test])), chance(better)];
  return [
    row("users", of.n_users, of.effect_users, of.p_users, of.p_better_users),
    row("seeds", of.n_seeds, of.effect_seeds, of.p_seeds, of.p_better_seeds),
  ].filter((_, at) => [of.n_users, of.n_seeds][at]);
}

function comparisonDetails({ baseline_name: name, unfair, note, metrics, against_controls: controls }) {
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
    controlDetails(controls),
  ].flat(2);
}

/** The variant against random vectors and wrong owners: what is left of its gain is what the vectors say. */
function controlDetails(controls) {
  const rows = controls.filter(({ metrics }) => metrics[data.primary]).map(({ baseline_name: name, metrics }) => {
    const of = metrics[data.primary];
    return [name, signed(of.gain, 4), percent(of.relative), interval(of) || "–", chance(of.holm), verdictMark(of.verdict)];
  });
  if (!rows.length) return [];
  const columns = [["Control"], ["Gain over it", true], ["Relative", true], ["95% interval", true], ["Holm", true], ["Verdict"]];
  return [h("h4", {}, `Against its controls, ${data.primary}`), plainTable("Against its controls", columns, rows)];
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

/** The metric in cold and warm slices; with a gain by user, baseline and value are those of its users. */
function coldDetails(group) {
  const parts = group.by_slice.filter((part) => known(part.metrics[data.primary]));
  if (!parts.length) return [];
  const gainOf = (part) => (part.gain?.metric === data.primary ? part.gain : null);
  const against = parts.some(gainOf);
  const columns = against
    ? [["Slice"], ["Rows", true], ["Baseline", true], ["This variant", true], ["Gain", true], ["95% interval", true]]
    : [["Slice"], ["Rows", true], ["This variant", true]];
  return [
    h("h4", {}, `Cold and warm, ${data.primary}`),
    plainTable("Cold and warm", columns, parts.map((part) => {
      const gain = gainOf(part);
      const own = fixed(gain?.value ?? part.metrics[data.primary], 4);
      const compared = [fixed(gain?.baseline, 4), own, signed(gain?.gain, 4), (gain && interval(gain)) || "–"];
      return [part.label, whole(part.rows), ...(against ? compared : [own])];
    })),
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
    coldDetails(group),
    h("h4", {}, "Runs"),
    runs.length
      ? plainTable("Runs", [["Run"], ["Seed", true], ["Status"], ["Seconds", true], ["Started"]],
          runs.map((run) => [run.run_id, String(run.seed ?? "–"), run.status, seconds(run.cost?.seconds ?? null), run.started ?? "–"]))
      : h("p", {}, "The records of its runs are not in this report."),
    drawable ? h("p", {}, h("button", { type: "button", onclick: () => { chooseOnly(group.id); $("curves").scrollIntoView(); } }, "Draw its curves")) : [],
    h("h4", {}, "Resolved scenario"),
    group.yaml ? h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Resolved scenario" }, h("pre", {}, group.yaml)) : h("p", {}, "It was not kept."));
}
