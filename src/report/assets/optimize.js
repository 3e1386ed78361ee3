"use strict";
// Page of `hexquant optimize`.

const microsecondText = (value) => (known(value) ? fixed(value, 2) : "\u2013");
const megabytes = (value) => (known(value) ? fixed(value / 1e6, 3) : "\u2013");
const ddrBytes = (cost) => (known(cost.vendor_ddr_bytes) ? cost.vendor_ddr_bytes : cost.predicted_ddr_bytes);
const change = (before, after) =>
  known(before) && known(after) && before > 0 ? signed(100 * (after - before) / before, 1) + " %" : "";
const hasVendor = () => known(data.before.vendor_us) && known(data.after.vendor_us);

function header() {
  const check = data.check;
  page.append(element("h1", {}, String(data.model).split(/[\\/]/).pop()),
    element("ul", { class: "chips", "aria-label": "Settings" },
      element("li", {}, "chip ", element("b", {}, data.soc)),
      element("li", {}, "model ", element("b", {}, data.quantized ? "quantized" : "float")),
      element("li", {}, "checked on ", element("b", {}, `${count(check.samples)} ${check.on_data ? "samples" : "random inputs"}`)),
      element("li", { class: check.passed ? "good" : "bad" }, check.passed ? "function kept" : "FUNCTION CHANGED")));
}

function summarySection() {
  const pair = (key, text) => `${text(data.before[key])} \u2192 ${text(data.after[key])}`;
  const cards = [card("Predicted time", pair("predicted_us", microsecondText) + " us", change(data.before.predicted_us, data.after.predicted_us) + ", an estimate")];
  if (hasVendor()) cards.push(card("Vendor's estimate", pair("vendor_us", microsecondText) + " us", change(data.before.vendor_us, data.after.vendor_us)));
  cards.push(card("Traffic", `${megabytes(data.before.traffic_bytes)} \u2192 ${megabytes(data.after.fused_traffic_bytes)} MB`,
    change(data.before.traffic_bytes, data.after.fused_traffic_bytes) + ", operation by operation, the NPU's fusions included"));
  cards.push(card("DRAM", `${megabytes(ddrBytes(data.before))} \u2192 ${megabytes(ddrBytes(data.after))} MB`, change(ddrBytes(data.before), ddrBytes(data.after))));
  section("summary", "Before and after", "Times are for 8-bit weights and activations.", element("div", { class: "cards" }, cards));
}

// What the rewrites save, one bar each, in the order in which they ran.
function gainChart() {
  const key = hasVendor() ? "vendor_gain_us" : "predicted_gain_us";
  const rows = data.rewrites.filter((row) => known(row[key])).map((row, i) => ({ i: i + 0.5, name: middle(row.name, 30), gain: row[key], row,
    text: microsecondText(row[key]) + " us", fill: `var(--${row[key] < 0 ? "bad" : "accent"})` }));
  if (rows.length === 0) return null;
  const gains = rows.map((row) => row.gain), low = Math.min(0, ...gains), high = Math.max(0, ...gains), slack = 0.15 * (high - low || 1);
  const title = hasVendor() ? "gain by the vendor's estimate, us" : "predicted gain, us";
  return element("div", { class: "panel" }, chart({
    label: "Gain of each rewrite in microseconds: " + rows.map(({ row, gain }) => `${row.name} ${microsecondText(gain)}`).join(", "),
    height: 24 * rows.length + 60, wide: true,
    x: { domain: [low < 0 ? low - slack : 0, high + slack], orient: "bottom", title },
    y: { domain: [rows.length, 0], orient: "left", grid: false, ticks: false, values: rows.map((row) => row.i), labelLimit: 260,
      label: JSON.stringify(rows.map((row) => row.name)) + "[floor(datum.value)]" },
    layers: [layer("rect", rows, { x: { scale: "x", value: 0 }, x2: "gain", yc: "i", height: { value: 15 }, fill: "fill", opacity: { value: 0.85 } }),
      layer("text", rows, { x: "gain", y: "i", text: "text", baseline: { value: "middle" }, dx: { signal: "datum.gain < 0 ? -6 : 6" }, align: { signal: "datum.gain < 0 ? 'right' : 'left'" } })],
    items: rows, at: ({ gain, i }) => [gain, i], text: ({ row, text }) => `${row.name}\n${text} in ${count(row.places.length)} places`,
    columns: ["Rewrite", title], cells: ({ row, text }) => [row.name, text],
  }));
}

function rewritesTable() {
  const number = (title, value, text) => ({ title, number: true, key: value, cell: (row) => text(value(row)), first: "descending" });
  const columns = [
    { title: "Rewrite", key: (row) => row.name, cell: (row) => element("button", { type: "button", class: "open", "aria-expanded": "false" }, row.name) },
    number("Places", (row) => row.places.length, count),
    number("Predicted gain, us", (row) => row.predicted_gain_us, microsecondText)];
  if (hasVendor()) columns.push(number("Vendor gain, us", (row) => row.vendor_gain_us, microsecondText));
  columns.push(number("Traffic before, MB", (row) => row.before.traffic_bytes, megabytes), number("after", (row) => row.after.traffic_bytes, megabytes),
    number("DRAM before, MB", (row) => ddrBytes(row.before), megabytes), number("after", (row) => ddrBytes(row.after), megabytes));
  const table = sortableTable("Rewrites", columns,
    (row) => element("ul", {}, row.places.map((place) => element("li", { class: "mono" }, place))), 50);
  table.set(data.rewrites);
  return table.node;
}

function rewritesSection() {
  const fusions = data.npu_fusions.places;
  section("rewrites", "Rewrites", data.rewrites.length === 0 ? "None applied: nothing in this model to gain from." : "In the order in which they ran; open a row for the places.",
    gainChart(), data.rewrites.length > 0 && rewritesTable(),
    fusions.length > 0 && element("details", { class: "panel block" }, element("summary", {}, `${count(fusions.length)} values stay inside operations that the NPU runs as one`),
      element("ul", {}, fusions.map((place) => element("li", { class: "mono" }, place)))));
}

function checkSection() {
  const check = data.check, demanded = known(check.min_sqnr_db) ? `${fixed(check.min_sqnr_db, 0)} dB demanded` : "another function, as asked";
  section("check", "Does it still compute the same?", `The optimized model beside the original on ${count(check.samples)} ${check.on_data ? "samples of the data" : "random inputs"}.`,
    element("div", { class: "cards" },
      card("Largest difference", short(check.max_abs), check.exact ? "bit for bit the same" : "of an output element"),
      card("SQNR", check.exact ? "exact" : fixed(check.sqnr_db, 1) + " dB", demanded, check.passed ? "good" : "bad"),
      known(check.agreement) && card("Same class", percent(check.agreement), known(check.min_agreement) && percent(check.min_agreement) + " demanded", check.passed ? "good" : "bad")));
}

function bordersSection() {
  if (data.borders.inputs.length + data.borders.outputs.length === 0) return;
  const encoding = (value) => (value ? `${value.type}, scale ${short(value.scale)}, zero point ${value.zero_point}` : "\u2013");
  const row = (kind, border) => element("tr", {}, element("td", {}, kind), element("th", { scope: "row" }, border.name), element("td", {}, border.nhwc ? "NHWC" : "as before"),
    element("td", {}, border.levels ? "levels 0..255 as uint8" : "\u2013"), element("td", {}, encoding(border.encoding)));
  section("borders", ["What the application has to change", "Borders"], "Inputs and outputs that no longer are what they were.",
    scrollBox("Borders", element("table", { "aria-label": "Borders" },
      element("thead", {}, element("tr", {}, ["", "Value", "Layout", "Values", "Codes"].map((title) => element("th", { scope: "col" }, title)))),
      element("tbody", {}, data.borders.inputs.map((border) => row("input", border)), data.borders.outputs.map((border) => row("output", border))))),
    data.preprocess && jsonBlock("Preprocessing of the new input", data.preprocess));
}

header();
summarySection();
rewritesSection();
checkSection();
bordersSection();
findingsSection();
footer();
