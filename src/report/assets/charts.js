// Charts drawn by Vega. A chart is drawn when it comes near the screen, so that hundreds of them
// cost nothing until looked at. Colours are the page's CSS variables: themes and print need no
// second drawing. Without the library each chart is the table of its numbers.

const vega = typeof vegaModule === "function" && (() => {
  const parts = ["dataflow", "view", "parser", "interpreter"].map((name) => vegaModule("vega-" + name));
  const library = Object.assign({}, ...parts);
  Object.assign(library.transforms, ...["transforms", "encode", "view-transforms"].map((name) => vegaModule("vega-" + name)));
  return library;
})();
if (!vega) page.append(element("p", { class: "lead" }, "Charts are shown as tables: the program that wrote this page was built without the chart library."));

const ink = (name) => ({ value: `var(--${name})` });
const kFont = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const kChartConfig = {
  axis: { labelColor: "var(--soft)", titleColor: "var(--soft)", domainColor: "var(--line)", tickColor: "var(--line)", gridColor: "var(--line)",
    labelFont: kFont, titleFont: kFont, labelFontSize: 11, titleFontSize: 11, titleFontWeight: "normal" },
  text: { font: kFont, fontSize: 11, fill: "var(--soft)" },
};

// One layer of a chart. Strings in `channels` name members of the rows, for positions in units of
// the axes; anything else is a value reference of Vega.
function layer(type, rows, channels) {
  const encode = Object.entries(channels).map(([name, value]) =>
    [name, typeof value !== "string" ? value : /^[xy][2c]?$/.test(name) ? { scale: name[0], field: value } : { field: value }]);
  return { type, rows, encode: Object.fromEntries(encode) };
}
// A line from border to border at `value` of an axis.
const guide = (axis, value, channels) => layer("rule", [{ at: value }], axis === "x"
  ? { x: "at", y: { value: 0 }, y2: { signal: "height" }, ...channels } : { y: "at", x: { value: 0 }, x2: { signal: "width" }, ...channels });
const kDashed = { stroke: ink("soft"), strokeDash: { value: [5, 4] } };

// {type, domain} of an axis are those of its scale, `label` is the expression of its labels; the
// rest are properties of Vega's axis.
const plotWidth = ({ padding }, width) => width - (padding ? padding.left + padding.right : 0);
function chartSpec(options, width) {
  const axes = Object.entries({ x: options.x, y: options.y });
  const hot = options.span ? { type: "rect", encode: { x: { scale: "x", field: "from" }, x2: { scale: "x", field: "to" }, y: { value: 0 }, y2: { signal: "height" }, fill: ink("text"), opacity: { value: 0.12 } } }
    : { type: "symbol", encode: { x: { scale: "x", field: "from" }, y: { scale: "y", field: "to" }, size: { value: 260 }, stroke: ink("text"), strokeWidth: { value: 2.5 }, fill: { value: null } } };
  return {
    description: options.label, width: plotWidth(options, width), height: options.height,
    padding: options.padding || 4, autosize: options.padding ? "none" : { type: "fit", contains: "padding" }, config: kChartConfig,
    signals: axes.map(([name, axis]) => ({ name: name + "Domain", value: axis.domain })),
    data: [...options.layers.map(({ rows }, i) => ({ name: "rows" + i, values: rows })), { name: "hot", values: [] }],
    scales: axes.map(([name, axis]) => ({ name, type: axis.type || "linear", domain: { signal: name + "Domain" }, range: name === "x" ? "width" : "height", zero: false })),
    axes: axes.map(([name, { type, domain, label, ...axis }]) =>
      ({ scale: name, grid: true, ...axis, encode: label && { labels: { update: { text: { signal: label } } } } })),
    marks: [...options.layers.map(({ type, encode, clip }, i) => ({ type, clip, from: { data: "rows" + i }, encode: { update: encode } })),
      { type: hot.type, name: "cursor", aria: false, interactive: false, from: { data: "hot" }, encode: { update: hot.encode } }],
  };
}

// ---- drawing
const waiting = new Map(), views = new Map();
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) drawNow(entry.target);
}, { rootMargin: "400px" });
const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const { view, options } = views.get(target);
    if (!target.isConnected) {
      sizes.unobserve(target);
      views.delete(target);
      view.finalize();
    } else if (target.clientWidth > 0) {
      view.width(plotWidth(options, target.clientWidth)).runAsync(); // nothing to do where it is the same
    }
  }
});
function drawNow(slot) {
  const draw = waiting.get(slot);
  waiting.delete(slot);
  watcher.unobserve(slot);
  if (draw && slot.isConnected) draw();
}
// Draws the charts that wait within `reach` pixels of the page's top.
function drawWaiting(reach = Infinity) {
  for (const slot of [...waiting.keys()]) {
    if (slot.clientWidth > 0 && slot.getBoundingClientRect().top < reach) drawNow(slot);
  }
}
addEventListener("beforeprint", () => drawWaiting());

// options: `label` says in words what is seen; `height`; `wide` scrolls sideways on small screens;
// axes `x` and `y`; `layers`; `items` in the order in which arrow keys visit them, each with the
// columns that it covers, `span(item)` = [from, to], or its point, `at(item)` = [x, y];
// `text(item)` is its tooltip, `go(item)` what a click or Enter does; `columns` and `cells(item)`
// are the table of the same numbers.
function chart(options) {
  const node = element("figure", { class: "chart" + (options.wide ? " wide" : "") });
  node.setDomain = () => {};
  if (!vega) return fill(node, {}, [dataTable(options)]);
  const slot = element("div", { class: "slot", style: `min-height:${options.height}px`, tabindex: "0", role: "img", "aria-label": options.label });
  slot.addEventListener("focus", () => drawNow(slot), { once: true });
  waiting.set(slot, () => drawChart(slot, options));
  watcher.observe(slot);
  const table = element("details", { class: "data", ontoggle: () => { if (table.children.length === 1) table.append(dataTable(options)); } },
    element("summary", {}, "Data"));
  fill(node, {}, [element("div", { class: "pan" }, slot), table]);
  node.setDomain = (domain) => {
    options.x.domain = domain;
    if (views.has(slot)) views.get(slot).view.signal("xDomain", domain).runAsync();
  };
  return node;
}
function dataTable({ label, columns, items, cells }) {
  return element("div", { class: "scroll data", tabindex: "0", role: "region", "aria-label": label }, element("table", { "aria-label": label },
    element("thead", {}, element("tr", {}, columns.map((title) => element("th", { scope: "col" }, title)))),
    element("tbody", {}, items.map((item) => element("tr", {}, cells(item).map((cell) => element("td", {}, cell)))))));
}
function drawChart(slot, options) {
  const view = new vega.View(vega.parse(chartSpec(options, slot.clientWidth), null, { ast: true }),
    { renderer: "svg", container: slot, expr: vega.expressionInterpreter, hover: false, tooltip: () => {} });
  view.run();
  views.set(slot, { view, options });
  sizes.observe(slot);
  followItems(slot, view, options);
}

// Tooltip and cursor of the item under the pointer, or of the one that the arrow keys reach.
function followItems(slot, view, { items, span, at, text, go }) {
  let current = -1;
  const place = (item) => (span ? [(view.scale("x")(span(item)[0]) + view.scale("x")(span(item)[1])) / 2, view.height() / 2]
    : [view.scale("x")(at(item)[0]), view.scale("y")(at(item)[1])]);
  const corner = () => {
    const svg = slot.querySelector("svg"), box = svg.getBoundingClientRect(), [left, top] = view.origin().map((value, i) => value + view.padding()[i === 0 ? "left" : "top"]);
    return { box, scale: box.width / Number(svg.getAttribute("width")), left, top };
  };
  function show(i) {
    if (i !== current) {
      const [from, to] = i < 0 ? [] : span ? span(items[i]) : at(items[i]);
      view.data("hot", i < 0 ? [] : [{ from, to }]).runAsync();
    }
    current = i;
    if (i < 0) hideTip();
  }
  const toolTip = (i, point) => { show(i); if (i >= 0) showTip(point, text(items[i])); };
  function find(event) {
    const { box, scale, left, top } = corner();
    const x = (event.clientX - box.left) / scale - left, y = (event.clientY - box.top) / scale - top;
    if (span) {
      const value = view.scale("x").invert(x);
      return items.findIndex((item) => span(item)[0] <= value && value < span(item)[1]);
    }
    const distances = items.map((item) => Math.hypot(place(item)[0] - x, place(item)[1] - y)), least = Math.min(...distances);
    return least < 16 ? distances.indexOf(least) : -1;
  }
  slot.addEventListener("mousemove", (event) => toolTip(find(event), event));
  slot.addEventListener("mouseleave", () => show(-1));
  slot.addEventListener("blur", () => show(-1));
  slot.addEventListener("keydown", (event) => {
    const last = items.length - 1, moves = { ArrowRight: Math.min(current + 1, last), ArrowLeft: Math.max(current - 1, 0), Home: 0, End: last };
    if (event.key === "Enter" && go && current >= 0) go(items[current]);
    if (event.key === "Escape") show(-1);
    if (!(event.key in moves) || last < 0) return;
    event.preventDefault();
    const { box, scale, left, top } = corner(), [x, y] = place(items[moves[event.key]]);
    toolTip(moves[event.key], { clientX: box.left + scale * (x + left), clientY: box.top + scale * (y + top) });
  });
  if (!go) return;
  slot.style.cursor = "pointer";
  slot.addEventListener("click", (event) => { const i = find(event); if (i >= 0) go(items[i]); });
}

// ---- charts that several pages have
// Bars with logarithmic heights: tails of one element stay visible beside peaks of millions.
function histogramChart(row) {
  const { lower, width, counts } = row.histogram, upper = lower + counts.length * width;
  const bins = counts.map((value, i) => ({ from: lower + i * width, to: lower + (i + 1) * width, value }));
  const low = Math.min(lower, row.range_min), high = Math.max(upper, row.range_max), most = Math.max(1, ...counts);
  const isCut = ({ from, to }) => to <= row.range_min || from >= row.range_max;
  const powers = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9].filter((power) => power <= most);
  const range = { stroke: ink("accent"), strokeWidth: { value: 1.5 } };
  return chart({
    label: `Histogram from ${short(row.observed_min)} to ${short(row.observed_max)}; chosen range ` +
      `${short(row.range_min)} to ${short(row.range_max)}, ${share(row.clipped_fraction)} clipped`,
    height: 150,
    x: { domain: [low, high === low ? low + 1 : high], orient: "bottom", grid: false, tickCount: 5, labelFlush: true },
    y: { type: "symlog", domain: [0, most], orient: "left", values: powers.filter((_, i) => (powers.length - 1 - i) % Math.ceil(powers.length / 4) === 0), label: "format(datum.value, '~s')" },
    layers: [layer("rect", [{ from: row.range_min, to: row.range_max }], { x: "from", x2: "to", y: { value: 0 }, y2: { signal: "height" }, fill: ink("accent-soft") }),
      layer("rect", bins.filter((bin) => bin.value > 0).map((bin) => ({ ...bin, fill: `var(--${isCut(bin) ? "bad" : "accent"})` })),
        { x: "from", x2: "to", y: "value", y2: { scale: "y", value: 0 }, fill: "fill", opacity: { value: 0.85 } }),
      guide("x", row.range_min, range), guide("x", row.range_max, range),
      ...(low < 0 && high > 0 ? [guide("x", 0, { stroke: ink("text"), strokeDash: { value: [2, 3] } })] : [])],
    items: bins, span: ({ from, to }) => [from, to], text: (bin) => `${short(bin.from)} \u2026 ${short(bin.to)}\n${count(bin.value)} elements`,
    columns: ["From", "To", "Elements"], cells: (bin) => [short(bin.from), short(bin.to), count(bin.value)],
  });
}
// The x axis of layers side by side: only its ends have names.
const layerAxis = (size, ends) => ({ domain: [0, Math.max(size, 1)], orient: "bottom", grid: false, ticks: false, values: [0, Math.max(size, 1)], labelFlush: true,
  label: `datum.value === 0 ? ${JSON.stringify(ends[0])} : ${JSON.stringify(ends[1])}` });
// One bar of decibels for each item in order; `name(item)` is its row in the table.
function profileChart(items, { label, name, text, go, ends = ["input", "output"] }) {
  const finite = items.filter((item) => known(item.db)).map((item) => item.db);
  const high = Math.min(80, Math.max(45, ...finite) * 1.05), low = Math.max(-20, Math.min(0, ...finite));
  const bars = items.map((item, i) => ({ x: i + 0.5, i, y: item.exact ? high : Math.min(Math.max(item.db, low), high), fill: `var(--${toneOf(item.db, item.exact)})`, shown: item.exact || known(item.db) }));
  return chart({
    label, height: 230, wide: true,
    x: layerAxis(items.length, ends), y: { domain: [low, high], orient: "left", title: "SQNR, dB", tickCount: 6 },
    layers: [layer("rect", bars.filter((bar) => bar.shown), { xc: "x", width: { signal: `clamp(0.78 * width / ${Math.max(items.length, 1)}, 1, 34)` },
      y: "y", y2: { scale: "y", value: Math.max(low, 0) }, fill: "fill" }), guide("y", kGuideDb, kDashed), guide("y", kSensitiveDb, kDashed)],
    items: bars, span: ({ i }) => [i, i + 1], text: ({ i }) => text(items[i]), go: go && (({ i }) => go(items[i])),
    columns: ["Layer", "SQNR, dB"], cells: ({ i }) => [name(items[i]), decibels(items[i].db, items[i].exact)],
  });
}
