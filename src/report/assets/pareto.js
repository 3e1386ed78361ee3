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
function paretoPlot(search, choose) {
  const width = 1180, height = 400, left = 70, right = 24, top = 20, base = 356;
  const points = search.points.map((point, i) => ({ point, i })).filter(({ point }) => known(point.metric));
  const target = targetMetric(search), limit = search.max_latency_us;
  const spread = (values) => {
    const low = Math.min(...values), high = Math.max(...values), slack = 0.06 * (high - low) || 0.05 * Math.abs(high) || 1;
    return [low - slack, high + slack];
  };
  const [x0, x1] = spread([...points.map(({ point }) => point.predicted_us), ...(known(limit) ? [limit] : [])]);
  const [y0, y1] = spread([...points.map(({ point }) => point.metric), ...(known(search.reference) && search.reference !== 0 ? [search.reference] : []), ...(target === null ? [] : [target])]);
  const x = (value) => left + (width - left - right) * (value - x0) / (x1 - x0);
  const y = (value) => base - (base - top) * (value - y0) / (y1 - y0);
  const plot = shape("svg", { class: "plot wide", viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `Predicted time against ${search.metric} of ${points.length} models; the table below holds the same numbers. Arrow keys go from point to point` });
  for (let i = 0; i <= 5; i += 1) {
    const atX = x0 + (x1 - x0) * i / 5, atY = y0 + (y1 - y0) * i / 5;
    plot.append(shape("path", { class: "grid", d: `M${x(atX)} ${top}V${base}M${left} ${y(atY)}H${width - right}` }),
      shape("text", { x: x(atX), y: base + 16, "text-anchor": "middle" }, short(atX)), shape("text", { x: left - 6, y: y(atY) + 4, "text-anchor": "end" }, short(atY)));
  }
  plot.append(shape("text", { x: width - right, y: base + 34, "text-anchor": "end" }, "predicted time, \u00b5s"), shape("text", { x: left, y: base + 34 }, search.metric));
  const guide = (d, text, at) => plot.append(shape("path", { class: "guide", d }), shape("text", at, text));
  if (known(search.reference) && search.reference !== 0) guide(`M${left} ${y(search.reference)}H${width - right}`, "float", { x: left + 4, y: y(search.reference) - 5 });
  if (target !== null) guide(`M${left} ${y(target)}H${width - right}`, "target", { x: left + 4, y: y(target) + 13 });
  if (known(limit)) guide(`M${x(limit)} ${top}V${base}`, "budget", { x: x(limit) - 4, y: top + 10, "text-anchor": "end" });
  const front = points.filter(({ point }) => point.on_front).sort((a, b) => a.point.predicted_us - b.point.predicted_us);
  if (front.length > 1) plot.append(shape("path", { class: "edge", fill: "none", d: "M" + front.map(({ point }) => `${x(point.predicted_us).toFixed(1)} ${y(point.metric).toFixed(1)}`).join("L") }));
  const dots = points.sort((a, b) => a.point.predicted_us - b.point.predicted_us).map(({ point, i }) => {
    const chosen = i === search.chosen, at = [x(point.predicted_us), y(point.metric)];
    const node = shape("circle", { class: "mark " + (chosen ? "s4" : point.on_front ? "s3" : "s0"), cx: at[0], cy: at[1], r: chosen ? 9 : 5.5 });
    plot.append(node);
    if (chosen) plot.append(shape("text", { class: "strong", x: at[0], y: at[1] < top + 24 ? at[1] + 24 : at[1] - 14, "text-anchor": "middle" }, "chosen"));
    return { node, text: paretoTip(point, search), go: () => choose(point) };
  });
  dotTips(plot, dots);
  return plot;
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
    (search.meets_target ? "The chosen one meets the target." : "None meets the target: the chosen one comes nearest."),
    element("div", { class: "panel" }, element("div", { class: "pan" }, paretoPlot(search, (point) => table.reveal(point))),
      element("ul", { class: "legend", "aria-label": "Colours" }, [["s4", "chosen"], ["s3", "on the front"], ["s0", "beaten by another"]].map(([tone, text]) => element("li", { class: tone }, element("i"), text)))),
    element("div", { class: "gap" }, table.node));
  table.set(search.points);
  table.sortBy(columns[1], "ascending");
}
optionalSections.push(paretoSection);
