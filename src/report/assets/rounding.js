// report.html: what the weight methods gained, layer by layer.

const roundingSteps = (() => {
  const asked = new Set(((data.recipe || {}).algorithms || []).map((name) => (name === "adaround" ? "adaptive-rounding" : name)));
  const adaptive = asked.has("adaptive-rounding");
  const all = [
    { key: "min_max", title: "Min-max, nearest", tone: "s0", taken: true },
    { key: "clip_search", title: "Clip search", tone: "s1", taken: adaptive || asked.has("clip-search") },
    { key: "gptq", title: "GPTQ", tone: "s2", taken: adaptive || asked.has("gptq") },
    { key: "result", title: "Coordinate descent", short: "Descent", tone: "s3", taken: adaptive },
  ];
  return all.filter((step) => step.taken);
})();

// Decibels that a step added; null where one side has no error or was not measured.
const difference = (before, after) => (known(before) && known(after) ? after - before : null);
function stepGains(row) {
  const db = row.output_sqnr_db;
  return roundingSteps.slice(1).map((step, i) => difference(db[roundingSteps[i].key], db[step.key]));
}
const totalGain = (row) => difference(row.output_sqnr_db.min_max, row.output_sqnr_db.result);
const clampGain = (row) => difference(row.clamped_sqnr_db.before, row.clamped_sqnr_db.result);
// No error at all is null in the data.
const stepText = (db) => (known(db) ? fixed(db, 1) : "exact");

const shiftText = (shift) => (shift > 0 ? percent(shift, shift < 1 ? 2 : 0) : "\u2013");
function gainCard(title, gainOf, tone) {
  const rows = data.rounding.filter((row) => known(gainOf(row)));
  if (rows.length === 0) return null;
  const best = rows.reduce((a, b) => (gainOf(b) > gainOf(a) ? b : a));
  return element("div", { class: "panel step " + tone }, element("div", { class: "name" }, tone && element("i"), title),
    element("div", { class: "value" }, signed(median(rows.map(gainOf)), 2) + " dB"),
    element("div", { class: "note" }, `median of ${count(rows.length)} layers; most: ${signed(gainOf(best), 1)} dB at `,
      element("span", { class: "mono" }, middle(best.layer, 36))));
}
function roundingCards() {
  const moved = data.rounding.filter((row) => row.bias_shift > 0);
  return element("div", { class: "cards" },
    roundingSteps.slice(1).map((step, i) => gainCard(step.title, (row) => stepGains(row)[i], step.tone)),
    gainCard("Refined behind Relu or Clip", clampGain, "s4"),
    roundingSteps.length > 2 && gainCard("All steps", totalGain, ""),
    moved.length > 0 && card("Biases moved", `${count(moved.length)} of ${count(data.rounding.length)}`,
      `median ${shiftText(median(moved.map((row) => row.bias_shift)))} of the output's rms`));
}

// Marks differ in form and colour.
const kStepForms = { s0: { shape: "circle", part: 1 }, s1: { shape: "diamond", part: 1 }, s2: { shape: "square", part: 0.9 }, s3: { shape: "circle", part: 0.7 } };
function roundingTip(row) {
  return [row.layer, ...roundingSteps.map((step, i) => {
    const gain = i > 0 ? stepGains(row)[i - 1] : null;
    return `${step.title}: ${stepText(row.output_sqnr_db[step.key])} dB` + (known(gain) ? ` (${signed(gain, 2)})` : "");
  }), known(clampGain(row)) && `behind the Relu or Clip: ${signed(clampGain(row), 2)} dB`].filter(Boolean).join("\n");
}
// One dumbbell for each layer in graph order: from min-max up to the result.
function dumbbellChart(rows, go) {
  const values = rows.flatMap((row) => roundingSteps.map((step) => row.output_sqnr_db[step.key])).filter(known);
  const low = 5 * Math.floor((Math.min(...values, 60) - 1) / 5), high = 5 * Math.ceil((Math.max(...values, low + 10) + 1) / 5);
  const marks = rows.flatMap((row, i) => roundingSteps.filter((step) => known(row.output_sqnr_db[step.key])).map(({ key, tone }) =>
    ({ i, x: i + 0.5, y: row.output_sqnr_db[key], tone: `var(--${tone})`, fill: tone === "s0" ? "var(--card)" : `var(--${tone})`, ...kStepForms[tone] })));
  const stems = rows.map((row, i) => marks.filter((mark) => mark.i === i).map((mark) => mark.y)).map((ys, i) => ({ x: i + 0.5, from: Math.min(...ys), to: Math.max(...ys), size: ys.length }));
  return chart({
    label: "Output SQNR of each layer after each weight method, in graph order", height: 260, wide: true,
    x: layerAxis(rows.length, ["input", "output"]), y: { domain: [low, high], orient: "left", title: "SQNR, dB", tickCount: 6 },
    layers: [layer("rule", stems.filter((stem) => stem.size > 1), { x: "x", y: "from", y2: { scale: "y", field: "to" }, stroke: ink("line"), strokeWidth: { value: 3 } }),
      layer("symbol", marks, { x: "x", y: "y", shape: "shape", fill: "fill", stroke: "tone", strokeWidth: { value: 1.4 },
        size: { signal: `datum.part * pow(clamp(0.4 * width / ${rows.length}, 3.2, 10), 2)` } })],
    items: rows.map((row, i) => ({ row, i })), span: ({ i }) => [i, i + 1], text: ({ row }) => roundingTip(row), go: ({ row }) => go(row),
    columns: ["Layer", ...roundingSteps.map((step) => step.title + ", dB")], cells: ({ row }) => [row.layer, ...roundingSteps.map((step) => stepText(row.output_sqnr_db[step.key]))],
  });
}
const stepLegend = () => element("ul", { class: "legend", "aria-label": "Steps" }, roundingSteps.map((step) =>
  element("li", { class: `${step.tone} form ${kStepForms[step.tone].shape}` }, element("i"), step.title)));

// Gains of the steps end to end, on one scale for all layers.
function gainBar(row, top) {
  const part = (gain) => (known(gain) ? Math.max(0, 100 * gain / top).toFixed(2) : "0") + "%";
  return element("div", { class: "db" }, element("span", { class: "figure" }, signed(totalGain(row), 1)),
    element("span", { class: "track stack", "aria-hidden": "true" },
      stepGains(row).map((gain, i) => element("i", { class: roundingSteps[i + 1].tone, style: "width:" + part(gain) }))));
}
function roundingDetail(row) {
  const steps = roundingSteps.map((step) => `${step.title} ${stepText(row.output_sqnr_db[step.key])} dB`).join(" \u2192 ");
  return facts([["weight", element("span", { class: "mono" }, row.weight)], ["output", steps],
    ...(known(row.clamped_sqnr_db.before) ? [["behind Relu or Clip", `${fixed(row.clamped_sqnr_db.before, 2)} \u2192 ${known(row.clamped_sqnr_db.result) ? fixed(row.clamped_sqnr_db.result, 2) : "exact"} dB`]] : []),
    ["bias", row.bias_shift > 0 ? `moved by ${shiftText(row.bias_shift)} of the output's rms` : "as it was"],
    ["data", `${count(row.positions)} output positions, ${count(row.sweeps)} sweeps`]]);
}
function roundingSection() {
  data.rounding.forEach((row, i) => { row.index = i; });
  const top = Math.max(1, ...data.rounding.map(totalGain).filter(known));
  const decibelColumn = (title, value, digits) => ({ title, key: value, number: true, first: "descending", cell: (row) => digits(value(row)) });
  const clamped = data.rounding.some((row) => known(clampGain(row)));
  const columns = [
    { title: "Layer", key: (row) => row.index, cell: (row) => element("button", { type: "button", class: "open", "aria-expanded": "false", title: row.layer }, middle(row.layer)) },
    decibelColumn("Min-max, dB", (row) => row.output_sqnr_db.min_max, stepText),
    ...roundingSteps.slice(1).map((step, i) => decibelColumn(step.short || step.title, (row) => stepGains(row)[i], (gain) => signed(gain, 2))),
    decibelColumn("Result, dB", (row) => row.output_sqnr_db.result, stepText),
    { title: "Gain, dB", key: totalGain, first: "descending", cell: (row) => gainBar(row, top) },
    ...(clamped ? [decibelColumn("Behind Relu", clampGain, (gain) => signed(gain, 2))] : []),
    decibelColumn("Bias moved", (row) => row.bias_shift, shiftText),
  ];
  const table = sortableTable("Weight methods", columns, roundingDetail, 15);
  const plot = roundingSteps.length > 1 && element("div", { class: "panel" },
    dumbbellChart(data.rounding, (row) => table.reveal(row)), stepLegend());
  section("rounding", ["What each weight method gained", "Weight methods"], "Noise that the quantized weights of a layer add to its own output, over the calibration data, in dB " +
    "below the output (more is better). Unlike the layers above, errors that arrive from earlier layers are not counted. Click a mark or a name for more.",
    roundingCards(), plot && element("div", { class: "gap" }, plot), element("div", { class: "gap" }, table.node));
  table.set(data.rounding);
}
optionalSections.push(roundingSection);
