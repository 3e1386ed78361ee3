// Log-log roofline: operations a second that each layer attains over its operations for each byte,
// under the roof of the matrix unit and the slope of DDR.

function rooflinePlot(layers, machine, choose) {
  const width = 1180, height = 420, left = 62, right = 16, top = 14, base = 376;
  // A layer that is partly hidden has a small part of the time, but computes for longer than that.
  const busy = (row) => Math.max(row.time_us, row.end_us - row.start_us);
  const points = layers.filter((row) => row.ops > 0 && row.intensity > 0 && busy(row) > 0)
    .map((row) => ({ row, x: row.intensity, y: row.ops / busy(row) / 1e6 }));
  const peak = machine.peak_tops_int8, slope = machine.ddr_gb_per_s / 1e3; // TOPS at 1 op/byte
  const ends = (values, least, most) => [Math.floor(Math.log10(Math.min(...values, least))), Math.ceil(Math.log10(Math.max(...values, most)))];
  const [x0, x1] = ends(points.map((point) => point.x), 1, machine.ridge_ops_per_byte * 2);
  const [y0, y1] = ends(points.map((point) => point.y), 0.1, peak * 1.2);
  const x = (value) => left + (width - left - right) * (Math.log10(value) - x0) / (x1 - x0);
  const y = (value) => base - (base - top) * (Math.log10(value) - y0) / (y1 - y0);
  const plot = shape("svg", { class: "plot wide", viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `Roofline of ${points.length} layers; the table of layers holds the same numbers` });
  for (let power = x0; power <= x1; power += 1) {
    plot.append(shape("path", { class: "grid", d: `M${x(10 ** power)} ${top}V${base}` }),
      shape("text", { x: x(10 ** power), y: base + 16, "text-anchor": "middle" }, short(10 ** power)));
  }
  for (let power = y0; power <= y1; power += 1) {
    plot.append(shape("path", { class: "grid", d: `M${left} ${y(10 ** power)}H${width - right}` }),
      shape("text", { x: left - 6, y: y(10 ** power) + 4, "text-anchor": "end" }, short(10 ** power)));
  }
  plot.append(shape("text", { x: width - right, y: base + 34, "text-anchor": "end" }, "operations for each byte"),
    shape("text", { x: left, y: base + 34 }, "TOPS attained"));
  const low = Math.max(10 ** x0, 10 ** y0 / slope), ridge = machine.ridge_ops_per_byte;
  plot.append(shape("path", { class: "edge", fill: "none", d: `M${x(low)} ${y(low * slope)}L${x(ridge)} ${y(peak)}H${width - right}` }),
    shape("text", { x: width - right, y: y(peak) - 6, "text-anchor": "end" }, `${fixed(peak, 1)} TOPS`),
    shape("text", { x: x(ridge), y: y(peak) - 6, "text-anchor": "end" }, `DDR ${fixed(machine.ddr_gb_per_s, 0)} GB/s, ridge at ${fixed(ridge, 0)}`));
  const longest = Math.max(...points.map((point) => point.row.time_us), 1e-9);
  const dots = points.sort((a, b) => a.x - b.x).map(({ row, x: at, y: attained }) => {
    const dot = shape("circle", { class: "mark " + boundTone(row.bound), cx: x(at), cy: y(attained), r: 3 + 9 * Math.sqrt(row.time_us / longest) });
    plot.append(dot);
    return { node: dot, go: () => choose(row), text: `${row.name}\n${row.op}, ${row.bound}\n${microseconds(row.time_us)}, ${short(attained)} TOPS at ${short(at)} operations a byte` };
  });
  dotTips(plot, dots);
  return plot;
}
