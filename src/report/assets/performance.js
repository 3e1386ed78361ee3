"use strict";
// What the latency model predicts, as sections: page of `hexquant analyze`, and part of report.html.
// `prediction` is the machine result of `analyze`.

const kBounds = [["compute", "matrix unit", "s3"], ["vector", "vector units", "s2"], ["bandwidth", "DDR", "s1"],
  ["overhead", "floor of each operation", "s0"], ["cpu", "CPU", "s4"], ["none", "hidden", "rest"]];
const boundTone = (bound) => (kBounds.find(([key]) => key === bound) || kBounds[5])[2];

function boundsSection(prediction) {
  const sums = kBounds.map(([key]) => prediction.layers.filter((row) => row.bound === key).reduce((sum, row) => sum + row.time_us, 0));
  const whole = sums.reduce((a, b) => a + b, 0) || 1;
  section("bounds", ["What bounds it", "Bounds"], "Is it compute or bandwidth? Each layer's part of the time, by what it waits for.",
    element("div", { class: "panel" },
      element("div", { class: "db" }, element("span", { class: "track stack tall" }, kBounds.map(([, , tone], i) =>
        element("i", { class: tone, style: `width:${(100 * sums[i] / whole).toFixed(2)}%` })))),
      element("ul", { class: "legend", "aria-label": "Shares" }, kBounds.map(([, text, tone], i) => sums[i] > 0 &&
        element("li", { class: tone }, element("i"), `${text} ${microseconds(sums[i])} (${percent(sums[i] / whole, 1)})`)))));
}
function adviceSection(prediction) {
  const advice = prediction.findings.filter((finding) => known(finding.saves_us));
  section("advice", "Advice", "Changes by what they are predicted to save. Savings do not add up: apply one and analyse again.",
    advice.length === 0 ? element("p", { class: "lead" }, "Nothing that the latency model knows of.") :
      advice.map((entry) => element("div", { class: "panel finding" },
        element("h3", {}, `saves ${microseconds(entry.saves_us)}`, element("span", { class: "chip" }, entry.id)),
        element("p", {}, entry.reason), element("p", { class: "fix" }, element("b", {}, "Fix: "), entry.fix + (entry.keeps_numbers ? "" : " (changes numbers: look at the accuracy again)")),
        entry.command && element("p", { class: "mono" }, "hexquant " + entry.command),
        entry.nodes.length > 0 && element("details", {}, element("summary", {}, `${count(entry.nodes.length)} places`), element("ul", {}, entry.nodes.map((node) => element("li", { class: "mono" }, node)))))));
}
// The predicted time-line in the form of timelineView: a lane for each unit, nanoseconds as cycles.
function predictedTimeline(prediction) {
  const lanes = [["HMX", 0, "compute"], ["HVX", 1, "vector"], ["DDR", 2, "bandwidth"], ["other", 3, "overhead"]];
  const names = prediction.layers.map((row) => row.name), boxes = lanes.map(() => []);
  prediction.layers.forEach((row, i) => {
    const lane = lanes.findIndex(([, , bound]) => bound === row.bound), at = lane < 0 ? 3 : lane;
    if (row.end_us > row.start_us) boxes[at].push([Math.round(row.start_us * 1e3), Math.round((row.end_us - row.start_us) * 1e3), i, i, at]);
  });
  const flat = boxes.map((list) => list.sort((a, b) => a[0] - b[0]).flat());
  const end = Math.max(prediction.total.time_us, ...prediction.layers.map((row) => row.end_us));
  return { layers: names, operations: prediction.layers.map((row) => `${row.op}, ${row.bound}`), graphs: [{ cycles: Math.ceil(end * 1e3), vtcm_bytes: prediction.vtcm.size_bytes,
    vtcm: prediction.vtcm.over_time.flatMap(([at, used]) => [Math.round(at * 1e3), used]), lanes: lanes.map(([name], i) => ({ name, boxes: flat[i] })) }] };
}
function costDetail(row) {
  return element("div", { class: "estimate-detail" }, facts([
    ["layer", element("span", { class: "mono" }, row.name)], ["ONNX nodes", element("span", { class: "mono" }, row.nodes.join("\n"))],
    ["kind", row.kind], ["runs on", row.placement], ["bounds of the time", `${microseconds(row.lower_us)} to ${microseconds(row.upper_us)}`],
    ["cycles", `HMX ${count(row.matrix_cycles)}, HVX ${count(row.vector_cycles)}, DMA ${count(row.dma_cycles)}`],
    ["bytes", `weights ${bytes(row.weight_bytes)}, in ${bytes(row.input_bytes)}, out ${bytes(row.output_bytes)}`],
    ["DDR", `read ${bytes(row.ddr_read_bytes)}, written ${bytes(row.ddr_write_bytes)}`], ["VTCM while it runs", bytes(row.vtcm_bytes)],
    ["sum of the shares up to here", percent(row.cumulative, 1)]]));
}
function costTableSection(prediction) {
  const longest = Math.max(...prediction.layers.map((row) => row.time_us), 1e-9);
  const number = (title, key, text) => ({ title, number: true, key: (row) => row[key], cell: (row) => text(row[key]), first: "descending" });
  const columns = [
    { title: "Layer", key: (row) => row.start_us, cell: (row) => element("button", { type: "button", class: "open", "aria-expanded": "false", title: row.name }, middle(row.name)) },
    { title: "Op", key: (row) => row.op, cell: (row) => row.op },
    { title: "Bits", key: (row) => row.act_bits, cell: (row) => (row.weight_bits ? `w${row.weight_bits}` : "") + `a${row.act_bits}` },
    { title: "Time", key: (row) => row.time_us, first: "descending", cell: (row) => element("div", { class: "db" },
      element("span", { class: "figure wide" }, `${microseconds(row.time_us)}  ${percent(row.share, 1)}`),
      element("span", { class: "track", "aria-hidden": "true" }, element("span", { class: "fill stack", style: `width:${(100 * row.time_us / longest).toFixed(1)}%` },
        element("i", { class: boundTone(row.bound), style: "width:100%" })))) },
    { title: "Bound by", key: (row) => row.bound, cell: (row) => row.bound },
    number("Used", "utilization", (value) => percent(value, 0)), number("MMAC", "macs", (value) => short(value / 1e6)),
    number("Bytes", "bytes", bytes), number("Ops/byte", "intensity", short), number("DDR read", "ddr_read_bytes", bytes)];
  const table = sortableTable("Predicted costs", columns, costDetail, 25);
  const search = element("input", { type: "search", placeholder: "Filter by name, op or bound", "aria-label": "Filter costs" });
  search.addEventListener("input", () => {
    const text = search.value.toLowerCase();
    table.set(prediction.layers.filter((row) => `${row.name} ${row.op} ${row.bound}`.toLowerCase().includes(text)));
  });
  section("costs", ["Predicted cost of each layer", "Costs"], "A layer's time is its part of the whole: what is hidden behind other layers costs nothing.",
    element("div", { class: "tools" }, search), element("div", { class: "estimate" }, table.node));
  table.set(prediction.layers);
  table.sortBy(columns[3], "descending");
  return table;
}
// Roofline and time-line; a click shows the layer in the table of costs.
function pictureSections(prediction, show) {
  section("roofline", "Roofline", "One dot for each layer with multiply-accumulates, its size by its time. Bytes are weights, inputs and outputs: dots above the slope keep their activations in VTCM. Dots far below both lines wait for neither peak nor DDR: narrow channels, depthwise kernels, the floor of each operation.",
    element("div", { class: "panel" }, rooflineChart(prediction.layers, prediction.machine, show)),
    element("ul", { class: "legend", "aria-label": "Colours" }, kBounds.slice(0, 5).map(([, text, tone]) => element("li", { class: tone }, element("i"), text))));
  const view = timelineView(predictedTimeline(prediction), 1000, (name) => { const row = prediction.layers.find((layer) => layer.name === name); if (row) show(row); });
  section("timeline", ["Time-line and VTCM", "Time-line"], "When each layer runs, on the unit that bounds it, and how full VTCM is meanwhile.", view.node);
}
