"use strict";
// Page of `hexquant profile`.

const baseName = (path) => String(path).split(/[\\/]/).pop();
const labelOf = (row) => row.node || row.name;
const figure = (profile, value) =>
  !known(value) ? "\u2013" : profile.unit === "cycles" ? count(Math.round(value)) : fixed(value, 1) + " us";

function header() {
  page.append(element("h1", {}, data.files.map(baseName).join(", ")),
    element("ul", { class: "chips", "aria-label": "Files" },
      data.profiles.map((profile) => element("li", {}, "format ", element("b", {}, profile.format))),
      data.model && element("li", {}, "model ", element("b", {}, baseName(data.model))),
      element("li", {}, "on the CPU ", element("b", {}, data.fallback.known ? `${count(data.fallback.operations)} operations` : "not told"))));
}

function shareBar(profile, row, longest) {
  return element("div", { class: "db" }, element("span", { class: "figure wide" }, `${figure(profile, row.amount)}  ${percent(row.share, 1)}`),
    element("span", { class: "track", "aria-hidden": "true" }, element("span", { class: "fill s2", style: `width:${(100 * row.share / (longest || 1)).toFixed(1)}%` })));
}
function groupTable(profile, title, groups) {
  if (groups.length < 2) return null;
  const longest = Math.max(...groups.map((group) => group.share));
  return element("details", { class: "panel block", open: true }, element("summary", {}, title),
    element("table", { "aria-label": title }, element("tbody", {}, groups.map((group) =>
      element("tr", {}, element("th", { scope: "row" }, group.name), element("td", {}, shareBar(profile, group, longest)))))));
}
function rowDetail(profile, row) {
  const list = (names) => (names.length ? element("span", { class: "mono" }, names.join("\n")) : "\u2013");
  return element("div", { class: "estimate-detail" }, facts([
    ["in the profile", element("span", { class: "mono" }, row.name)], ["graph", row.graph || "\u2013"], ["ran on", row.backend || "not told"],
    ["ONNX nodes", list(row.onnx_nodes)], ["measurements", `${count(row.count)}, ${figure(profile, row.min)} to ${figure(profile, row.max)}`],
    row.critical !== null && ["dominant path", count(row.critical)], row.wait !== null && ["wait", count(row.wait)],
    row.overlap !== null && ["overlap", count(row.overlap)], row.overlap_wait !== null && ["overlap in the wait", count(row.overlap_wait)],
    row.overlaps_with.length > 0 && ["beside it ran", list(row.overlaps_with)],
    row.dram_read_bytes !== null && ["DRAM", `${bytes(row.dram_read_bytes)} read, ${bytes(row.dram_write_bytes)} written`]].filter(Boolean)));
}
function rowsTable(profile) {
  const longest = Math.max(...profile.rows.map((row) => row.share));
  const number = (title, key) => ({ title, number: true, key: (row) => row[key], cell: (row) => (row[key] === null ? "\u2013" : count(Math.round(row[key]))), first: "descending" });
  const columns = [
    { title: "Layer", key: (row) => labelOf(row), cell: (row) => element("button", { type: "button", class: "open", "aria-expanded": "false", title: row.name }, middle(labelOf(row))) },
    { title: "Op", key: (row) => row.op, cell: (row) => row.op },
    { title: profile.is_time ? "Time" : "Cycles", key: (row) => row.amount, cell: (row) => shareBar(profile, row, longest), first: "descending" },
    { title: "Ran on", key: (row) => row.backend, cell: (row) => row.backend }];
  if (profile.rows.some((row) => row.wait !== null)) columns.push(number("Wait", "wait"), number("Overlap", "overlap"));
  if (profile.rows.some((row) => row.critical !== null)) columns.push(number("On the path", "critical"));
  if (profile.rows.some((row) => row.resources.length > 0)) columns.push({ title: "Units", key: (row) => row.resources.join("+"), cell: (row) => row.resources.join(" + ") });
  const table = sortableTable("Operations", columns, (row) => rowDetail(profile, row), 25);
  const search = element("input", { type: "search", placeholder: "Filter by name or op", "aria-label": "Filter operations" });
  search.addEventListener("input", () => {
    const text = search.value.toLowerCase();
    table.set(profile.rows.filter((row) => (row.name + " " + labelOf(row) + " " + row.op).toLowerCase().includes(text)));
  });
  table.set(profile.rows);
  table.sortBy(columns[2], "descending");
  return [element("div", { class: "tools" }, search), element("div", { class: "estimate" }, table.node)];
}
function totalsTable(profile) {
  if (profile.totals.length === 0) return null;
  return element("details", { class: "panel block", open: profile.totals.length <= 12 }, element("summary", {}, "Totals"), element("table", { "aria-label": "Totals" },
    element("thead", {}, element("tr", {}, ["Phase", "Total", "Mean", "Samples"].map((title) => element("th", { scope: "col" }, title)))),
    element("tbody", {}, profile.totals.map((total) => element("tr", {}, element("td", {}, total.graph ? `${total.section} ${total.graph}` : total.section),
      element("th", { scope: "row" }, total.name), element("td", { class: "number" }, `${count(Math.round(10 * total.value) / 10)} ${total.unit}`), element("td", { class: "number" }, count(total.count)))))));
}
function malformedBlock(profile) {
  if (profile.malformed_lines === 0) return null;
  return element("div", { class: "panel" }, element("p", {}, `${count(profile.malformed_lines)} of ${count(profile.lines)} lines are no measurements and were left out:`),
    element("ul", {}, profile.malformed.map((line) => element("li", {}, `${line.line > 0 ? "line " + line.line : "element"}: ${line.reason}: `, element("span", { class: "mono" }, line.text)))));
}
function profileSection(profile, index) {
  const lead = profile.may_be_summed ? (profile.is_time ? "Rows add up to one inference." : "Cycles of the rows add up to the run; they are no time by themselves.")
    : "Operations run side by side: rows are no parts of a whole, and their sum is no time.";
  const id = "profile-" + (index + 1);
  section(id, [profile.files.map(baseName).join(", "), baseName(profile.files[0])], lead,
    element("div", { class: "cards" }, card(profile.may_be_summed ? "Sum" : "Sum (no time)", figure(profile, profile.sum), profile.unit === "cycles" ? "cycles" : "of one inference"),
      card("Operations", count(profile.rows.length), `${count(profile.lines)} lines or elements read`),
      card("Malformed", count(profile.malformed_lines), "left out", profile.malformed_lines > 0 ? "fair" : "")),
    malformedBlock(profile), profile.rows.length > 0 && rowsTable(profile), totalsTable(profile),
    groupTable(profile, "By operation type", profile.by_op),
    groupTable(profile, profile.units_overlap ? "By unit (busy at the same time)" : "By unit", profile.by_unit));
}
function fallbackSection() {
  const fallback = data.fallback;
  if (!fallback.known) {
    section("fallback", "On the CPU", null, element("p", { class: "lead" }, "Not told: these files list the HTP's operations only."));
    return;
  }
  const lead = fallback.no_accelerator ? "The whole model ran on the CPU: no accelerator appears in the trace."
    : fallback.operations === 0 ? "All operations ran on the HTP." : `${count(fallback.operations)} operations fell back to the CPU.`;
  section("fallback", "On the CPU", lead, fallback.nodes.length > 0 && scrollBox("On the CPU", element("table", { "aria-label": "On the CPU" },
    element("thead", {}, element("tr", {}, ["Node", "Op", "Time", "Why", "Fix"].map((title) => element("th", { scope: "col" }, title)))),
    element("tbody", {}, fallback.nodes.map((node) => element("tr", {}, element("th", { scope: "row" }, node.name),
      element("td", {}, node.op, node.is_conversion && [" ", element("span", { class: "tag" }, "conversion")]),
      element("td", { class: "number" }, node.time_us === null ? "\u2013" : fixed(node.time_us, 1) + " us"), element("td", {}, node.reason || "\u2013"), element("td", {}, node.fix || "\u2013")))))));
}
function comparisonSection() {
  const comparison = data.comparison;
  const number = (title, key, text) => ({ title, number: true, key: (row) => row[key], cell: (row) => text(row[key]), first: "descending" });
  const columns = [{ title: "Layer", key: (row) => row.name, cell: (row) => middle(row.name) }, { title: "Op", key: (row) => row.op, cell: (row) => row.op },
    number("Before", "before", (value) => fixed(value, 1)), number("After", "after", (value) => fixed(value, 1)),
    { title: "Change", number: true, key: (row) => Math.abs(row.change), cell: (row) => signed(row.change, 1), first: "descending" },
    { title: "Verdict", key: (row) => row.verdict, cell: (row) => element("span", { class: "tag" }, row.verdict) }];
  const table = sortableTable("Comparison", columns, null, 25);
  section("comparison", "Before and after", `${comparison.may_be_summed ? "Total" : "Sum (no time)"}: ${fixed(comparison.before_sum, 1)} to ${fixed(comparison.after_sum, 1)} ${comparison.unit}.`, table.node);
  table.set(comparison.rows);
  table.sortBy(columns[4], "descending");
}

header();
if (data.comparison) comparisonSection();
data.profiles.forEach(profileSection);
fallbackSection();
findingsSection();
footer();
