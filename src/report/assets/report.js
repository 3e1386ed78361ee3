"use strict";
// report.html: result of `hexquant quantize`.

const recipe = data.recipe || {};
const summary = data.summary;
const activationOf = new Map(data.activations.map((row) => [row.tensor, row]));
const layerOf = new Map();
data.layers.forEach((layer, i) => { layer.index = i + 1; layer.db = layer.sqnr_db; });
for (const layer of [...data.layers].reverse()) layerOf.set(layer.output, layer);
const modelName = String(data.model).split(/[\\/]/).pop();

// ---- metrics
const kRates = new Set(["top1", "top5"]);
const kMetricNames = { top1: "Top-1 accuracy", top5: "Top-5 accuracy", "spearman-pairs": "Spearman correlation",
  perplexity: "Perplexity", cosine: "Cosine of the outputs", sqnr: "Output SQNR" };
const metricName = (key) => kMetricNames[key] || key;
const metricText = (key, value) => (kRates.has(key) ? percent(value) : fixed(value, key === "perplexity" ? 3 : 4));
const changeText = (key, change) => (kRates.has(key) ? signed(100 * change, 2) + " points" : signed(change, 4));
function metricValue(side) {
  const values = summary[side] || {};
  const value = values[summary.metric] ?? values.value;
  return known(value) ? value : null;
}
const isRelative = ["sqnr", "cosine"].includes(summary.metric);

function toneOfSqnr() {
  if (summary.exact || summary.sqnr_db >= kGuideDb) return "good";
  return known(summary.sqnr_db) ? (summary.sqnr_db >= kSensitiveDb ? "fair" : "bad") : "";
}
function toneOfChange(change) {
  if (!summary.interval) return "";
  const [low, high] = summary.interval;
  if (low >= -0.005 || change >= 0) return "good";
  return high >= 0 || change >= -0.005 ? "fair" : "bad";
}
function intervalSentence() {
  const [low, high] = summary.interval, scale = kRates.has(summary.metric) ? 100 : 1;
  const unit = scale === 100 ? " points" : "";
  const text = `95 % paired interval of the change: ${signed(scale * low, 2)} to ${signed(scale * high, 2)}${unit}, ` +
    `${count(summary.samples)} samples. `;
  if (low <= 0 && high >= 0) return text + "It includes 0: these samples do not show a difference.";
  return text + (high < 0 ? "The loss is larger than chance explains." : "The gain is larger than chance explains.");
}
function verdict() {
  const before = metricValue("fp32"), after = metricValue("quantized");
  const samples = `over ${count(summary.samples)} samples`;
  if (before === null || after === null || isRelative) {
    const level = summary.exact ? "No difference at all " + samples + "."
      : !known(summary.sqnr_db) ? "Not measured."
      : (summary.sqnr_db >= kGuideDb ? "Above" : "Below") + ` the 30 dB of the tuning checklist, ${samples}. ` +
        "A task metric says more: give labels with --evaluate --labels.";
    return element("div", { class: "panel verdict " + toneOfSqnr() },
      element("span", { class: "metric" }, "Output SQNR, quantized against float"),
      element("span", { class: "big" }, decibels(summary.sqnr_db, summary.exact), known(summary.sqnr_db) && " dB"),
      element("p", {}, level));
  }
  const change = after - before;
  return element("div", { class: "panel verdict " + toneOfChange(change) },
    element("span", { class: "metric" }, metricName(summary.metric) + ", float to quantized"),
    element("span", { class: "big" }, metricText(summary.metric, before), element("span", { class: "arrow" }, "\u2192"),
      metricText(summary.metric, after)),
    element("span", { class: "change" }, changeText(summary.metric, change)),
    element("p", {}, summary.interval ? intervalSentence() : `Measured ${samples}.`));
}

// ---- header
function header() {
  const changed = data.layers.filter((layer) => layer.reason).length;
  const chips = [["SoC", `${data.soc} (HTP ${data.htp_arch})`], ["precision", `W${recipe.weight_bits ?? "?"}A${recipe.act_bits ?? "?"}`],
    ["weights", `per ${String(recipe.granularity ?? "tensor")}, ${recipe.weight_schema ?? ""}`], ["observer", recipe.observer ?? "\u2013"],
    ["calibration", count(data.samples) + " samples"]];
  page.append(element("h1", {}, modelName),
    element("ul", { class: "chips", "aria-label": "Settings" },
      chips.map(([name, value]) => element("li", {}, name + " ", element("b", {}, value))),
      changed > 0 && element("li", {}, element("b", {}, String(changed)), changed === 1 ? " layer differs from what was asked" : " layers differ from what was asked")),
    verdict(), cards());
}
function cards() {
  const weak = data.layers.filter((layer) => known(layer.db) && layer.db < kGuideDb).length;
  const measured = data.layers.filter((layer) => known(layer.db) || layer.exact).length;
  const weights = data.weight_bytes || {};
  const others = Object.keys(summary.fp32 || {}).filter((key) => key !== "value" && key !== summary.metric &&
    !["sqnr", "cosine"].includes(key) && known(summary.fp32[key]) && known((summary.quantized || {})[key]));
  const list = data.checklist;
  return element("div", { class: "cards" },
    list && card("Checklist", `${list.passed} of ${list.items.length}`, checkCounts(list), checkTone(list)),
    others.map((key) => card(metricName(key), metricText(key, summary.quantized[key]),
      `float ${metricText(key, summary.fp32[key])} (${changeText(key, summary.quantized[key] - summary.fp32[key])})`)),
    card("Output SQNR", summary.exact ? "exact" : fixed(summary.sqnr_db, 2) + " dB", `cosine ${fixed(summary.cosine, 6)}`, toneOfSqnr()),
    known(summary.agreement) && card("Agreement", percent(summary.agreement), "same answer as the float model"),
    card("Layers below 30 dB", `${weak} of ${measured}`, "output of the layer against float"),
    card("Weights", bytes(weights.quantized), `float ${bytes(weights.float)}` +
      (weights.quantized > 0 ? `, ${(weights.float / weights.quantized).toFixed(1)} times smaller` : "")),
    data.performance && known(data.performance.time_us) && card("Predicted time", fixed(data.performance.time_us, 1) + " \u00b5s",
      `${fixed(data.performance.lower_us, 1)} to ${fixed(data.performance.upper_us, 1)}: an estimate for ${data.soc}`),
    card("Time", seconds(data.seconds.total), known(data.seconds.calibrate) && `calibration ${seconds(data.seconds.calibrate)}`),
    data.peak_rss_bytes > 0 && card("Peak memory", bytes(data.peak_rss_bytes), data.threads > 0 && `${data.threads} threads`));
}

// ---- layers
const bitsText = (bits) => (bits === null || bits === undefined ? "\u2013" : bits === 32 ? "float" : String(bits));
function layerTip(layer) {
  return `${layer.name}\n${layer.op}, W ${bitsText(layer.weight_bits)}, A ${bitsText(layer.act_bits)}\n` +
    `output ${decibels(layer.db, layer.exact)} dB` + (known(layer.weight_sqnr_db) ? `, weights ${fixed(layer.weight_sqnr_db, 1)} dB` : "") +
    (layer.reason ? `\n${layer.reason}` : "");
}
function layerDetail(layer) {
  const row = activationOf.get(layer.output);
  const plot = row && row.histogram ? element("div", {}, histogramChart(row), element("p", { class: "under" }, rangeText(row)))
    : element("p", { class: "under" }, row ? "No histogram was gathered." : "The output carries no encoding of its own.");
  return element("div", { class: "twin" },
    facts([["layer", element("span", { class: "mono" }, layer.name)], ["output", element("span", { class: "mono" }, layer.output || "\u2013")],
      ["operation", layer.op], ["bits", `${layer.effective_bits} (asked: ${layer.requested_bits})`],
      ["weights", layer.weight_bits === null ? "none" : `${bitsText(layer.weight_bits)}, per ${layer.granularity}, SQNR ${decibels(layer.weight_sqnr_db)} dB, ${count(layer.parameters)} parameters`],
      ["output SQNR", decibels(layer.db, layer.exact) + " dB"], ...(layer.reason ? [["why", layer.reason]] : [])]), plot);
}
function layersSection() {
  const top = Math.min(60, Math.max(45, ...data.layers.map((layer) => layer.db || 0)));
  const columns = [
    { title: "Layer", key: (l) => l.index, cell: (l) => element("button", { type: "button", class: "open", "aria-expanded": "false", title: l.name }, middle(l.name || `(${l.op} ${l.index})`)) },
    { title: "Op", key: (l) => l.op, cell: (l) => l.op },
    { title: "W", key: (l) => l.weight_bits, number: true, cell: (l) => bitsText(l.weight_bits) },
    { title: "A", key: (l) => l.act_bits, number: true, cell: (l) => bitsText(l.act_bits) },
    { title: "Scales", key: (l) => (l.weight_bits === null ? null : l.granularity), cell: (l) => (l.weight_bits === null || l.weight_bits === 32 ? "\u2013" : l.granularity) },
    { title: "Output SQNR, dB", key: (l) => (l.exact ? Infinity : l.db), cell: (l) => dbBar(l.db, l.exact, top) },
    { title: "Weights, dB", key: (l) => l.weight_sqnr_db, number: true, cell: (l) => fixed(l.weight_sqnr_db, 1) },
    { title: "Parameters", key: (l) => l.parameters, number: true, first: "descending", cell: (l) => (l.parameters ? count(l.parameters) : "\u2013") },
    { title: "Note", cell: (l) => l.reason && element("span", { class: "tag differs", title: l.reason }, middle(l.reason, 24)) },
  ];
  const table = sortableTable("Layers", columns, layerDetail, 25);
  const sqnr = columns[5];
  const search = element("input", { type: "search", placeholder: "Filter by name or note", "aria-label": "Filter layers", oninput: apply });
  const ops = [...new Set(data.layers.map((layer) => layer.op))].sort();
  const op = element("select", { "aria-label": "Operation", onchange: apply }, element("option", { value: "" }, "all operations"),
    ops.map((name) => element("option", { value: name }, name)));
  const only = element("select", { "aria-label": "Which layers", onchange: apply }, element("option", { value: "" }, "all layers"),
    element("option", { value: "weak" }, "below 30 dB"), element("option", { value: "sensitive" }, "below 25 dB"),
    element("option", { value: "differs" }, "differs from request"));
  const order = switcher("Order", [["worst", "Worst first"], ["graph", "Graph order"]], "worst", (key) => {
    if (key === "worst") table.sortBy(sqnr, "ascending"); else table.unsort();
  });
  table.onsort = () => order.clear();
  const shown = element("span", { class: "count", "aria-live": "polite" });
  function apply() {
    const text = search.value.toLowerCase();
    const list = data.layers.filter((l) => (l.name + " " + l.output + " " + l.reason).toLowerCase().includes(text) &&
      (!op.value || l.op === op.value) && (!only.value || (only.value === "differs" ? l.reason !== ""
        : known(l.db) && l.db < (only.value === "weak" ? kGuideDb : kSensitiveDb))));
    shown.textContent = `${count(list.length)} of ${count(data.layers.length)} layers`;
    table.set(list);
  }
  const plot = profileChart(data.layers, { label: "Output SQNR of each layer in graph order", name: (layer) => layer.name, text: layerTip, go: (layer) => {
    search.value = op.value = only.value = "";
    apply();
    table.reveal(layer);
  } });
  section("layers", "Layers", "Signal to noise of each layer's output, quantized model against float: errors of all layers before it " +
    "included. Where the bars fall, the step before is the suspect. Click a bar or a name for its range and histogram.",
    element("div", { class: "panel" }, plot, dbLegend()), element("div", { class: "tools" }, search, op, only, order, shown), table.node);
  table.sortBy(sqnr, "ascending");
  apply();
}

// ---- activations
function rangeText(row) {
  return [element("b", {}, row.type), ` range ${short(row.range_min)} \u2026 ${short(row.range_max)}, seen ${short(row.observed_min)} \u2026 ` +
    `${short(row.observed_max)}; step ${short(row.scale)}, zero point ${row.zero_point}; clipped `, element("b", {}, share(row.clipped_fraction))];
}
function activationCard(row) {
  return element("article", { class: "panel" }, element("h3", { title: row.tensor }, middle(row.tensor, 84)),
    row.histogram ? histogramChart(row) : element("p", { class: "slot" }, "No histogram was gathered."),
    element("p", {}, rangeText(row)));
}
function activationsSection() {
  if (data.activations.length === 0) return;
  const place = (row) => (layerOf.has(row.tensor) ? layerOf.get(row.tensor).index : 0);
  const worst = (row) => { const layer = layerOf.get(row.tensor); return layer && known(layer.db) ? layer.db : Infinity; };
  const orders = { graph: (a, b) => place(a) - place(b), worst: (a, b) => worst(a) - worst(b) || place(a) - place(b),
    clipped: (a, b) => b.clipped_fraction - a.clipped_fraction || place(a) - place(b) };
  const kStep = 12;
  let chosen = "graph", limit = kStep;
  const grid = element("div", { class: "hist" }), shown = element("span", { class: "count", "aria-live": "polite" });
  const search = element("input", { type: "search", placeholder: "Filter by tensor", "aria-label": "Filter activations", oninput: () => { limit = kStep; apply(); } });
  const more = element("button", { type: "button", class: "more", onclick: () => { limit += 4 * kStep; apply(); } }, "Show more");
  const order = switcher("Order", [["graph", "Graph order"], ["worst", "Worst first"], ["clipped", "Most clipped"]], chosen, (key) => { chosen = key; limit = kStep; apply(); });
  function apply() {
    const text = search.value.toLowerCase();
    const list = data.activations.filter((row) => row.tensor.toLowerCase().includes(text)).sort(orders[chosen]);
    grid.replaceChildren(...list.slice(0, limit).map(activationCard));
    shown.textContent = `${count(list.length)} of ${count(data.activations.length)} tensors`;
    more.hidden = list.length <= limit;
  }
  section("activations", "Activations", "What calibration saw (bars, logarithmic) and the range that was chosen (shaded). Red bars are clipped; the " +
    "dotted line is zero. A wide range with a narrow peak wastes codes: 16 bits or another observer help there.",
    element("div", { class: "tools" }, search, order, shown), grid, more);
  apply();
}

// ---- details
function meterTable(title, rows, text) {
  const top = Math.max(1e-12, ...rows.map(([, value]) => value));
  return element("div", { class: "panel" }, element("h3", {}, title), element("table", { "aria-label": title }, element("tbody", {},
    rows.map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", { class: "number" }, text(value)),
      element("td", { style: "width:40%" }, element("div", { class: "meter", "aria-hidden": "true" }, element("i", { style: `width:${(100 * value / top).toFixed(1)}%` }))))))));
}
function detailsSection() {
  const stages = Object.entries(data.seconds).filter(([name]) => name !== "total");
  const passes = Object.entries(data.passes).filter(([, places]) => places > 0);
  section("details", "Details", null, element("div", { class: "pair" },
    meterTable(`Time: ${seconds(data.seconds.total)}`, stages, seconds), meterTable("Files", Object.entries(data.files), bytes),
    meterTable("Prepare passes: places changed", passes, count)), jsonBlock("Recipe", recipe));
}

header();
for (const draw of openingSections) draw();
findingsSection();
layersSection();
for (const draw of optionalSections) draw();
activationsSection();
detailsSection();
footer();
