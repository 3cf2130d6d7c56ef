// What the runs cost.

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
