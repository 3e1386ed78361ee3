"use strict";
// estimate.html: the vendor's performance estimate of a compiled model.

const modelName = String(data.model || "model").split(/[\\/]/).pop();
const kSplit = [...kUnits.map(([key, text]) => [key + "_us", text]), ["idle_us", "idle"]];
const kTones = ["s3", "s2", "s1", "s0", "rest"];
const kBoundTexts = { hmx: "HMX computes", hvx: "HVX computes", dma: "waits for DMA", control: "starts and awaits operations", idle: "idle" };

function header() {
  const machine = data.machine || {};
  const chips = [["SoC", `${data.soc} (HTP ${data.htp_arch})`], known(data.clock_mhz) && ["simulated clock", fixed(data.clock_mhz, 1) + " MHz"],
    machine.vtcm_bytes > 0 && ["VTCM", bytes(machine.vtcm_bytes)], machine.hvx_threads > 0 && ["HVX threads", count(machine.hvx_threads)]].filter(Boolean);
  page.append(element("h1", {}, modelName),
    element("ul", { class: "chips", "aria-label": "Settings" }, chips.map(([name, value]) => element("li", {}, name + " ", element("b", {}, value)))));
  if (!data.available) {
    page.append(element("div", { class: "panel verdict fair" }, element("span", { class: "big" }, "No estimate"),
      element("p", {}, "The vendor's simulator has no performance model of this chip; see the findings.")));
    return;
  }
  page.append(element("div", { class: "panel verdict " + (data.missing_ops > 0 ? "fair" : "") },
    element("span", { class: "metric" }, "Estimated time on the accelerator"),
    element("span", { class: "big" }, microseconds(data.time_us)),
    element("span", { class: "change" }, `${microseconds(data.lower_us)} to ${microseconds(data.upper_us)}`),
    element("p", {}, "A simulation by the vendor's tool, not a measurement. The call from the host is not included.")), cards());
}
function cards() {
  const ddr = data.ddr_bytes, spilled = ddr.intermediate_spill + ddr.intermediate_fill;
  return element("div", { class: "cards" },
    card("Cycles", count(data.cycles), `${count(data.cycles_lower)} to ${count(data.cycles_upper)}`),
    card("Read from DDR", bytes(ddr.input_fill + ddr.intermediate_fill + ddr.inter_htp_fill), "weights, inputs, spilled activations"),
    card("Written to DDR", bytes(ddr.output_spill + ddr.intermediate_spill + ddr.inter_htp_spill), "outputs, spilled activations"),
    card("Spill traffic", bytes(spilled), spilled > 0 ? "activations written and read back: VTCM is too small" : "all activations stay in VTCM", spilled > 0 ? "fair" : undefined),
    known(data.vtcm_peak_bytes) && card("VTCM peak", bytes(data.vtcm_peak_bytes), data.machine && `of ${bytes(data.machine.vtcm_bytes)}`),
    data.bound && card("Mostly", { hmx: "HMX", hvx: "HVX", dma: "DMA", control: "control", idle: "idle" }[data.bound], kBoundTexts[data.bound]),
    card("Operations without cost", count(data.missing_ops), data.missing_ops > 0 ? "counted as free: low confidence" : "every operation is modelled", data.missing_ops > 0 ? "fair" : undefined));
}

function timeSplit() {
  const total = kSplit.reduce((sum, [key]) => sum + data.time_split[key], 0) || 1;
  section("split", ["Where the time goes", "Time"], "Each instant counts for the best unit at work: HMX, else HVX, else DMA that nothing hides, else the scalar thread that starts and awaits operations.",
    element("div", { class: "panel" },
      element("div", { class: "db" }, element("span", { class: "track stack tall" }, kSplit.map(([key], i) =>
        element("i", { class: kTones[i], style: `width:${(100 * data.time_split[key] / total).toFixed(2)}%` })))),
      element("ul", { class: "legend", "aria-label": "Shares" }, kSplit.map(([key, text], i) =>
        element("li", { class: kTones[i] }, element("i"), `${text} ${microseconds(data.time_split[key])} (${percent(data.time_split[key] / total, 1)})`,
          data.busy[key] !== undefined && element("span", { class: "quiet" }, ` busy ${microseconds(data.busy[key])}`))))));
}

// ---- layers
const kKindTexts = { inserted: "inserted", boundary: "graph border", unknown: "no node known" };
function timeBar(row, longest) {
  const parts = kUnits.map(([key], i) => [row[key + "_us"], kTones[i]]), sum = parts.reduce((total, [value]) => total + value, 0) || 1;
  return element("div", { class: "db" }, element("span", { class: "figure wide" }, `${microseconds(row.time_us)}  ${percent(row.share, 1)}`),
    element("span", { class: "track", "aria-hidden": "true" }, element("span", { class: "fill stack", style: `width:${(100 * row.time_us / (longest || 1)).toFixed(1)}%` },
      parts.map(([value, tone]) => element("i", { class: tone, style: `width:${(100 * value / sum).toFixed(1)}%` })))));
}
function layerDetail(row) {
  const list = (names) => (names.length ? element("span", { class: "mono" }, names.join("\n")) : "\u2013");
  const facts_ = [["layer", element("span", { class: "mono" }, row.name)], ["kind", row.kind], ["ONNX nodes", list(row.onnx_nodes)], ["QNN operations", list(row.qnn_ops)],
    ["from first to last operation", `${microseconds(row.span_us)}, starting at ${microseconds(row.start_us)}`],
    ["busy", kUnits.map(([key, text]) => `${text} ${microseconds(row[key + "_us"])}`).join(", ") + ` (HVX threads together ${microseconds(row.hvx_thread_us)})`],
    ["DRAM read", `${bytes(row.dram_read_bytes)}, of that ${bytes(row.dma_read_bytes)} by DMA`], ["DRAM written", `${bytes(row.dram_write_bytes)}, of that ${bytes(row.dma_write_bytes)} by DMA`],
    ["hardware operations", `${count(row.hardware_ops)}; tiles ${count(row.tiles)}`]];
  return element("div", { class: "estimate-detail" }, facts(facts_),
    element("button", { type: "button", onclick: () => view.reveal(row.name, row.graph, row.start_us, row.span_us) }, "Show in the timeline"));
}
function layersSection() {
  const longest = Math.max(...data.layers.map((row) => row.time_us));
  const number = (title, key, text) => ({ title, number: true, key: (row) => row[key], cell: (row) => text(row[key]), first: "descending" });
  const columns = [
    { title: "Layer", key: (row) => row.start_us, cell: (row) => element("button", { type: "button", class: "open", "aria-expanded": "false", title: row.name }, middle(row.name)) },
    { title: "Op", key: (row) => row.op, cell: (row) => [row.op + " ", kKindTexts[row.kind] && element("span", { class: "tag" }, kKindTexts[row.kind])] },
    { title: "Time", key: (row) => row.time_us, cell: (row) => timeBar(row, longest), first: "descending" },
    { title: "Bound by", key: (row) => row.bound, cell: (row) => row.bound.length === 3 ? row.bound.toUpperCase() : row.bound },
    number("HMX", "hmx_us", microseconds), number("HVX", "hvx_us", microseconds), number("DMA", "dma_us", microseconds),
    number("DRAM read", "dram_read_bytes", bytes), number("VTCM peak", "vtcm_peak_bytes", bytes)];
  const table = sortableTable("Layers", columns, layerDetail, 25);
  const search = element("input", { type: "search", placeholder: "Filter by name or op", "aria-label": "Filter layers" });
  search.addEventListener("input", () => {
    const text = search.value.toLowerCase();
    table.set(data.layers.filter((row) => (row.name + " " + row.op + " " + row.kind).toLowerCase().includes(text)));
  });
  section("layers", "Layers", "Time is the layer's share of the whole run; HMX, HVX and DMA are busy times, which overlap with those of other layers. Rows marked inserted or graph border stand for no node of the model.",
    element("div", { class: "tools" }, search), element("div", { class: "estimate" }, table.node));
  table.set(data.layers);
  table.sortBy(columns[2], "descending");
  return table;
}

let view = null, table = null;
header();
if (data.available && data.layers.length > 0) {
  timeSplit();
  if (data.timeline) {
    view = timelineView(data.timeline, data.clock_mhz || 1, (name, graph) => {
      const row = data.layers.find((layer) => layer.name === name && layer.graph === graph);
      if (row) table.reveal(row);
    });
    section("timeline", "Timeline", "Point at an interval to see its layer; click it to find the layer in the table.", view.node,
      element("ul", { class: "legend", "aria-label": "Colours" }, kUnits.map(([, text], i) => element("li", { class: kTones[i] }, element("i"), text))));
  }
  table = layersSection();
}
findingsSection();
footer();
