// report.html: groups of layers that cross-layer equalization looked at.

const kScaleBounds = { none: "no Clip", interval: "for every input", observed: "on the data" };
const errorGain = (row) => (known(row.error_before) && known(row.error_after) && row.error_after > 0
  ? 10 * Math.log10(row.error_before / row.error_after) : null);
const errorText = (error) => (error !== 0 && error < 1e-3 ? error.toExponential(1).replace("-", "\u2212") : short(+error.toPrecision(2)));
const several = (names) => middle(names[0] || "\u2013", 34) + (names.length > 1 ? ` +${names.length - 1}` : "");
const nameList = (names) => element("span", { class: "mono" }, names.join(", "));

// A bar from the error after to the error before, on a logarithmic axis shared by all groups.
function errorBar(row, low, high) {
  if (!known(row.error_before)) return element("span", { class: "quiet" }, "not measured");
  const place = (error) => 100 * (Math.log10(Math.max(error, low)) - Math.log10(low)) / (Math.log10(high) - Math.log10(low) || 1);
  const after = known(row.error_after) ? row.error_after : row.error_before, changed = row.strength > 0;
  const [from, to] = [place(after), place(row.error_before)].sort((a, b) => a - b);
  return element("div", { class: "db" }, element("span", { class: "figure wide" }, changed ? `${errorText(row.error_before)} \u2192 ${errorText(after)}` : errorText(row.error_before)),
    element("span", { class: "track", "aria-hidden": "true" },
      changed && element("span", { class: "fill gain", style: `left:${from.toFixed(1)}%;right:${(100 - to).toFixed(1)}%` }),
      element("span", { class: "dot before", style: `left:${place(row.error_before).toFixed(1)}%` }),
      changed && element("span", { class: "dot after", style: `left:${place(after).toFixed(1)}%` })));
}
function equalizationCards(rows) {
  const changed = rows.filter((row) => row.strength > 0), gains = changed.map(errorGain).filter(known);
  const total = (key, list) => list.reduce((sum, row) => sum + row[key], 0);
  const best = changed.filter((row) => known(errorGain(row))).reduce((a, b) => (a && errorGain(a) >= errorGain(b) ? a : b), null);
  return element("div", { class: "cards" },
    card("Groups scaled", `${count(changed.length)} of ${count(rows.length)}`, "the others would not gain enough"),
    card("Channels scaled", percent(total("channels_scaled", rows) / Math.max(1, total("channels", rows)), 0),
      `${count(total("channels_scaled", rows))} of ${count(total("channels", rows))}` +
        (total("channels_fixed", rows) > 0 ? `; ${count(total("channels_fixed", rows))} reach the limit of their Clip` : "")),
    gains.length > 0 && card("Median gain", signed(median(gains), 2) + " dB",
      [`of the groups scaled; most: ${signed(errorGain(best), 1)} dB at `, element("span", { class: "mono" }, middle(best.producers[0] || "", 36))]),
    total("dead_channels", rows) > 0 && card("Dead channels", count(total("dead_channels", rows)), "zero for every input: weights cleared"),
    total("absorbed_channels", rows) > 0 && card("Absorbed", count(total("absorbed_channels", rows)), "biases moved into the next layer"));
}
function equalizationDetail(row) {
  return facts([["divided", nameList(row.producers)], ["multiplied", nameList(row.consumers)],
    ["channels", `${count(row.channels)}: ${count(row.channels_scaled)} scaled, ${count(row.channels_fixed)} kept at their Clip's limit, ` +
      `${count(row.dead_channels)} dead, ${count(row.absorbed_channels)} absorbed`],
    ["Clip kept", kScaleBounds[row.bound] || row.bound], ["strength", row.strength > 0 ? `${fixed(row.strength, 2)} of the best log-scales` : "left alone"]]);
}
function equalizationSection() {
  const rows = data.equalization;
  rows.forEach((row, i) => { row.index = i; });
  const errors = rows.flatMap((row) => [row.error_before, row.error_after]).filter((error) => known(error) && error > 0);
  const low = Math.min(...errors, 1), high = Math.max(...errors, low);
  const columns = [
    { title: "Layers", key: (row) => row.index, cell: (row) => element("button", { type: "button", class: "open", "aria-expanded": "false",
      title: `${row.producers.join(", ")} \u2192 ${row.consumers.join(", ")}` }, several(row.producers), element("br"), "\u2192 ", several(row.consumers)) },
    { title: "Strength", key: (row) => row.strength, number: true, first: "descending", cell: (row) => (row.strength > 0 ? fixed(row.strength, 2) : "\u2013") },
    { title: "Channels scaled", key: (row) => row.channels_scaled, number: true, first: "descending", cell: (row) => `${count(row.channels_scaled)} / ${count(row.channels)}` },
    { title: "Clip kept", key: (row) => row.bound, cell: (row) => kScaleBounds[row.bound] || row.bound },
    { title: "Output error", key: (row) => row.error_before, first: "descending", cell: (row) => errorBar(row, low, high) },
    { title: "Gain, dB", key: (row) => (row.strength > 0 ? errorGain(row) : null), number: true, first: "descending", cell: (row) => (row.strength > 0 ? signed(errorGain(row), 1) : "\u2013") },
  ];
  const table = sortableTable("Equalized groups", columns, equalizationDetail, 15);
  const shown = element("span", { class: "count", "aria-live": "polite" });
  const show = (key) => {
    const list = key === "scaled" ? rows.filter((row) => row.strength > 0) : rows;
    shown.textContent = `${count(list.length)} of ${count(rows.length)} groups`;
    table.set(list);
  };
  const start = rows.some((row) => row.strength > 0) ? "scaled" : "all";
  const undone = data.findings.some((finding) => finding.id === "equalization-reverted");
  section("equalization", ["Cross-layer equalization", "Equalization"], "Channels scaled between layers, group by group: the first layers divided, the next multiplied. The error is that of the " +
    "model's outputs with this group alone quantized, noise power over signal power, on a logarithmic axis: \u25CB before, \u25CF after." +
    (undone ? " All changes were undone: the model as a whole did not gain." : ""),
    equalizationCards(rows), element("div", { class: "tools" }, switcher("Groups", [["scaled", "Scaled"], ["all", "All"]], start, show), shown), table.node);
  show(start);
}
optionalSections.push(equalizationSection);
