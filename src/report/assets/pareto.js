// report.html: every model that the search of mixed precision evaluated, predicted time against
// metric.

function paretoTip(point, search) {
  return `${point.name}\n${search.metric} ${short(point.metric)}, loss ${short(point.loss)}\n${fixed(point.predicted_us, 1)} \u00b5s predicted (${fixed(point.lower_us, 1)} to ${fixed(point.upper_us, 1)})` +
    (point.vendor && known(point.vendor.time_us) ? `\n${fixed(point.vendor.time_us, 1)} \u00b5s by the vendor's estimate` : "");
}
// The metric at the largest loss allowed; null where the loss is no difference of the metric.
function targetMetric(search) {
  const differing = search.points.find((point) => known(point.loss) && Math.abs(point.loss) > 1e-9 && known(point.metric));
  if (!known(search.max_loss) || !differing) return null;
  const sign = (differing.metric - search.reference) / differing.loss;
  return Math.abs(Math.abs(sign) - 1) < 1e-3 ? search.reference + Math.sign(sign) * search.max_loss : null;
}
function paretoChart(search, choose) {
  const target = targetMetric(search), limit = search.max_latency_us;
  const points = search.points.filter((point) => known(point.metric)).sort((a, b) => a.predicted_us - b.predicted_us).map((point) =>
    ({ point, x: point.predicted_us, y: point.metric, tone: `var(--${point.chosen ? "s4" : point.on_front ? "s3" : "s0"})`, beaten: !point.chosen && !point.on_front }));
  const spread = (values) => {
    const low = Math.min(...values), high = Math.max(...values), slack = 0.06 * (high - low) || 0.05 * Math.abs(high) || 1;
    return [low - slack, high + slack];
  };
  const lines = [...(known(search.reference) && search.reference !== 0 ? [["y", search.reference, "float", -5]] : []),
    ...(target === null ? [] : [["y", target, "target", 13]]), ...(known(limit) ? [["x", limit, "budget", 0]] : [])];
  const onAxis = (axis) => lines.filter(([name]) => name === axis).map(([, value]) => value);
  const note = ([axis, value, text, dy]) => layer("text", [{ value, text }], axis === "y" ? { x: { value: 4 }, y: "value", text: "text", dy: { value: dy } }
    : { x: "value", y: { value: 10 }, text: "text", align: { value: "right" }, dx: { value: -4 } });
  return chart({
    label: `Predicted time against ${search.metric} of ${points.length} models; the table below holds the same numbers. Arrow keys go from point to point`,
    height: 400, wide: true,
    x: { domain: spread([...points.map(({ x }) => x), ...onAxis("x")]), orient: "bottom", title: "predicted time, \u00b5s", tickCount: 8 },
    y: { domain: spread([...points.map(({ y }) => y), ...onAxis("y")]), orient: "left", title: search.metric, tickCount: 6 },
    layers: [...lines.map(([axis, value]) => guide(axis, value, kDashed)), ...lines.map(note),
      layer("line", points.filter(({ point }) => point.on_front), { x: "x", y: "y", stroke: ink("accent"), strokeWidth: { value: 1.5 } }),
      layer("symbol", points.map((row) => ({ ...row, fill: row.beaten ? "var(--card)" : row.tone, size: row.point.chosen ? 320 : 120 })),
        { x: "x", y: "y", size: "size", fill: "fill", stroke: "tone", strokeWidth: { value: 1.6 } }),
      layer("text", points.filter(({ point }) => point.chosen), { x: "x", y: "y", text: { value: "chosen" }, align: { value: "center" }, fontWeight: { value: 600 },
        fill: ink("text"), dy: { signal: "scale('y', datum.y) < 24 ? 24 : -14" } })],
    items: points, at: ({ x, y }) => [x, y], go: ({ point }) => choose(point), text: ({ point }) => paretoTip(point, search),
    columns: ["Model", "Predicted, \u00b5s", search.metric, "Front"],
    cells: ({ point }) => [point.name, fixed(point.predicted_us, 1), short(point.metric), point.chosen ? "chosen" : point.on_front ? "front" : "\u2013"],
  });
}
// What the result loses where the search has not looked; nothing where no samples were left.
function keptBackText(search) {
  const kept = (search.final || {}).kept_back;
  return kept && known(kept.loss) ? ` The result loses ${short(kept.loss)} on ${kept.samples} samples that the search has not seen.` : "";
}
function paretoSection() {
  const search = data.search, vendor = search.points.some((point) => point.vendor);
  search.points.forEach((point, i) => { point.chosen = i === search.chosen; });
  const number = (title, key, digits, extra) => ({ title, number: true, key: (row) => row[key], cell: (row) => fixed(row[key], digits), ...extra });
  const columns = [
    { title: "Model", key: (row) => row.name, cell: (row) => [element("button", { type: "button", class: "open", "aria-expanded": "false" }, middle(row.name, 44)),
      row.chosen ? element("span", { class: "tag differs" }, "chosen") : row.on_front && element("span", { class: "tag" }, "front")] },
    number("Predicted, \u00b5s", "predicted_us", 1), number(search.metric, "metric", 4), number("Loss", "loss", 4), number("SQNR, dB", "sqnr_db", 2),
    number("Converts", "converts", 0), { title: "Weights raised", number: true, key: (row) => row.raised_weight_share, cell: (row) => share(row.raised_weight_share) },
    ...(vendor ? [{ title: "Vendor, \u00b5s", number: true, key: (row) => (row.vendor || {}).time_us, cell: (row) => fixed((row.vendor || {}).time_us, 1) }] : [])];
  const detail = (row) => facts([["widths", element("span", { class: "mono" }, row.layer_bits.length > 0 ? row.layer_bits.join(" ") : "as the recipe says")],
    ["bounds of the time", `${fixed(row.lower_us, 1)} to ${fixed(row.upper_us, 1)} \u00b5s`], ["DDR", bytes(row.ddr_bytes)]]);
  const table = sortableTable("Evaluated models", columns, detail, 24);
  section("pareto", ["Accuracy against latency", "Pareto"], `Every model that the search evaluated; times are predictions. No other model is both faster and better than those on the line. ` +
    (search.meets_target ? "The chosen one meets the target." : "None meets the target: the chosen one comes nearest.") + keptBackText(search),
    element("div", { class: "panel" }, paretoChart(search, (point) => table.reveal(point)),
      element("ul", { class: "legend", "aria-label": "Colours" }, [["s4", "chosen"], ["s3", "on the front"], ["s0", "beaten by another"]].map(([tone, text]) => element("li", { class: tone + " form circle" }, element("i"), text)))),
    element("div", { class: "gap" }, table.node));
  table.set(search.points);
  table.sortBy(columns[1], "ascending");
}
optionalSections.push(paretoSection);
