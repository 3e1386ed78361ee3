// Log-log roofline: operations a second that each layer attains over its operations for each byte,
// under the roof of the matrix unit and the slope of DDR.

function rooflineChart(layers, machine, choose) {
  // A layer that is partly hidden has a small part of the time, but computes for longer than that.
  const busy = (row) => Math.max(row.time_us, row.end_us - row.start_us);
  const points = layers.filter((row) => row.ops > 0 && row.intensity > 0 && busy(row) > 0)
    .map((row) => ({ row, x: row.intensity, y: row.ops / busy(row) / 1e6, fill: `var(--${boundTone(row.bound)})` })).sort((a, b) => a.x - b.x);
  const longest = Math.max(...points.map((point) => point.row.time_us), 1e-9);
  for (const point of points) point.size = (6 + 18 * Math.sqrt(point.row.time_us / longest)) ** 2;
  const peak = machine.peak_tops_int8, slope = machine.ddr_gb_per_s / 1e3, ridge = machine.ridge_ops_per_byte; // slope: TOPS at 1 op/byte
  const ends = (values, least, most) => [10 ** Math.floor(Math.log10(Math.min(...values, least))), 10 ** Math.ceil(Math.log10(Math.max(...values, most)))];
  const [x0, x1] = ends(points.map((point) => point.x), 1, ridge * 2), [y0, y1] = ends(points.map((point) => point.y), 0.1, peak * 1.2);
  const low = Math.max(x0, y0 / slope), powers = (from, to) => Array.from({ length: Math.round(Math.log10(to / from)) + 1 }, (_, i) => from * 10 ** i);
  const note = (x, text) => layer("text", [{ x, y: peak, text }], { x: "x", y: "y", text: "text", align: { value: "right" }, dy: { value: -6 } });
  return chart({
    label: `Roofline of ${points.length} layers; the table of layers holds the same numbers`, height: 420, wide: true,
    x: { type: "log", domain: [x0, x1], orient: "bottom", values: powers(x0, x1), format: "~g", title: "operations for each byte" },
    y: { type: "log", domain: [y0, y1], orient: "left", values: powers(y0, y1), format: "~g", title: "TOPS attained" },
    layers: [layer("line", [{ x: low, y: low * slope }, { x: ridge, y: peak }, { x: x1, y: peak }], { x: "x", y: "y", stroke: ink("accent"), strokeWidth: { value: 1.5 } }),
      note(x1, `${fixed(peak, 1)} TOPS`), note(ridge, `DDR ${fixed(machine.ddr_gb_per_s, 0)} GB/s, ridge at ${fixed(ridge, 0)}`),
      layer("symbol", points, { x: "x", y: "y", size: "size", fill: "fill", stroke: ink("card"), strokeWidth: { value: 0.8 } })],
    items: points, at: ({ x, y }) => [x, y], go: ({ row }) => choose(row),
    text: ({ row, x, y }) => `${row.name}\n${row.op}, ${row.bound}\n${microseconds(row.time_us)}, ${short(y)} TOPS at ${short(x)} operations a byte`,
    columns: ["Layer", "Bound by", "Time", "Operations for each byte", "TOPS attained"], cells: ({ row, x, y }) => [row.name, row.bound, microseconds(row.time_us), short(x), short(y)],
  });
}
