// Lanes over time with zoom, and the use of VTCM below them. Drawn on a canvas: a model has
// thousands of intervals. `clock` is in MHz, so that cycles / clock are microseconds.

const kUnits = [["hmx", "HMX", "--s3"], ["hvx", "HVX", "--s2"], ["dma", "DMA", "--s1"], ["control", "control", "--s0"]];
const kBox = 5; // start, length, layer, operation, unit
const kLane = 20, kGap = 3, kLeft = 84, kRight = 10, kAxis = 22, kVtcm = 64;

// The box of a lane that covers `at`, as an index into its flat list; -1 between boxes.
function boxAt(boxes, at, slack) {
  let low = 0, high = boxes.length / kBox - 1;
  while (low < high) {
    const half = (low + high + 1) >> 1;
    if (boxes[half * kBox] <= at) low = half; else high = half - 1;
  }
  for (const i of [low, low + 1]) {
    const start = boxes[i * kBox];
    if (start - slack <= at && at <= start + boxes[i * kBox + 1] + slack) return i * kBox;
  }
  return -1;
}
function niceStep(span, count) {
  const raw = span / count, power = 10 ** Math.floor(Math.log10(raw));
  return power * ([1, 2, 5].find((factor) => factor * power >= raw) || 10);
}
const threeDigits = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));
const microseconds = (value) => (!known(value) ? "\u2013" : value < 10000 ? threeDigits(value) + " \u00b5s" : threeDigits(value / 1000) + " ms");

function timelineView(timeline, clock, choose) {
  let graph = timeline.graphs[0], from = 0, to = graph.cycles, colours = "unit", hot = -1, pinned = -1, drag = null;
  const canvas = element("canvas", { class: "timeline", tabindex: "0", role: "img",
    "aria-label": "Timeline of the hardware lanes; the table of layers holds the same times" });
  const context = canvas.getContext("2d");
  const rows = () => graph.lanes.length * (kLane + kGap);
  const width = () => canvas.clientWidth - kLeft - kRight;
  const x = (cycle) => kLeft + (cycle - from) / (to - from) * width();
  const cycleAt = (position) => from + (position - kLeft) / width() * (to - from);
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function colour(layer, unit) {
    return colours === "unit" ? style(kUnits[unit][2]) : `hsl(${(layer * 137.5) % 360} ${dark.matches ? "60% 62%" : "58% 46%"})`;
  }
  function drawLane(lane, top, palette) {
    const boxes = lane.boxes, selected = hot >= 0 ? hot : pinned;
    let edge = -1, last = null;
    for (let i = 0; i < boxes.length; i += kBox) {
      if (boxes[i] + boxes[i + 1] < from || boxes[i] > to) continue;
      const start = Math.max(x(boxes[i]), kLeft), end = Math.min(x(boxes[i] + boxes[i + 1]), kLeft + width());
      const layer = boxes[i + 2], key = layer * 4 + boxes[i + 4];
      if (end < edge && layer !== selected && key === last) continue; // hidden behind the box before
      if (!palette.has(key)) palette.set(key, colour(layer, boxes[i + 4]));
      context.fillStyle = palette.get(key);
      context.globalAlpha = selected >= 0 && layer !== selected ? 0.22 : 1;
      context.fillRect(start, top, Math.max(end - start - (end - start > 4 ? 0.6 : 0), 0.7), kLane);
      edge = Math.max(start + 0.7, end);
      last = key;
    }
    context.globalAlpha = 1;
  }
  function drawVtcm(top) {
    const limit = graph.vtcm_bytes || 1, base = top + kVtcm, height = (value) => (kVtcm - 4) * Math.min(value / limit, 1);
    const uses = graph.vtcm;
    context.fillStyle = style("--shade");
    context.fillRect(kLeft, top, width(), kVtcm);
    context.beginPath();
    context.moveTo(kLeft, base);
    let level = 0;
    for (let i = 0; i < uses.length && uses[i] <= to; i += 2) {
      if (uses[i] > from) context.lineTo(x(uses[i]), base - height(level));
      level = uses[i + 1];
      context.lineTo(Math.max(x(uses[i]), kLeft), base - height(level));
    }
    context.lineTo(kLeft + width(), base - height(level));
    context.lineTo(kLeft + width(), base);
    context.fillStyle = style("--accent");
    context.globalAlpha = 0.75;
    context.fill();
    context.globalAlpha = 1;
  }
  function drawAxis(top) {
    const span = (to - from) / clock, step = niceStep(span, Math.max(width() / 90, 2));
    context.textAlign = "center";
    for (let at = Math.ceil(from / clock / step) * step; at <= to / clock; at += step) {
      const position = x(at * clock);
      context.fillStyle = style("--line");
      context.fillRect(position, 0, 1, top);
      context.fillStyle = style("--soft");
      context.fillText(+at.toPrecision(6) + " \u00b5s", Math.min(Math.max(position, kLeft + 18), kLeft + width() - 18), top + 15);
    }
  }
  function draw() {
    const height = rows() + kVtcm + kAxis + 6, ratio = devicePixelRatio || 1;
    canvas.style.height = height + "px";
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = "12px system-ui, sans-serif";
    drawAxis(rows() + kVtcm + 6);
    const palette = new Map();
    graph.lanes.forEach((lane, i) => {
      const top = i * (kLane + kGap);
      context.fillStyle = style("--soft");
      context.textAlign = "right";
      context.fillText(lane.name, kLeft - 8, top + 14);
      drawLane(lane, top, palette);
    });
    drawVtcm(rows() + 4);
    context.fillStyle = style("--soft");
    context.textAlign = "right";
    context.fillText("VTCM", kLeft - 8, rows() + 4 + kVtcm / 2);
    context.fillText(bytes(graph.vtcm_bytes), kLeft - 8, rows() + 4 + kVtcm / 2 + 15);
  }
  let asked = false;
  function redraw() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; draw(); });
  }
  function show(start, end) {
    const least = Math.min(graph.cycles, 64), span = Math.min(Math.max(end - start, least), graph.cycles);
    from = Math.min(Math.max(start, 0), graph.cycles - span);
    to = from + span;
    redraw();
  }
  const zoom = (factor, at = (from + to) / 2) => show(at - (at - from) / factor, at + (to - at) / factor);
  const pan = (part) => show(from + part * (to - from), to + part * (to - from));

  // ---- what lies under the pointer
  function find(event) {
    const box = canvas.getBoundingClientRect(), at = cycleAt(event.clientX - box.left), y = event.clientY - box.top;
    if (at < from || at > to) return null;
    if (y > rows()) return y < rows() + kVtcm + 4 ? { vtcm: vtcmAt(at), at } : null;
    const lane = graph.lanes[Math.floor(y / (kLane + kGap))];
    const i = lane ? boxAt(lane.boxes, at, 2 * (to - from) / width()) : -1;
    return i < 0 ? null : { lane, i, layer: lane.boxes[i + 2] };
  }
  function vtcmAt(at) {
    let level = 0;
    for (let i = 0; i < graph.vtcm.length && graph.vtcm[i] <= at; i += 2) level = graph.vtcm[i + 1];
    return level;
  }
  function tipText(found) {
    if (found.vtcm !== undefined) return `VTCM at ${microseconds(found.at / clock)}: ${bytes(found.vtcm)} of ${bytes(graph.vtcm_bytes)}`;
    const boxes = found.lane.boxes, i = found.i;
    return `${timeline.layers[found.layer]}\n${timeline.operations[boxes[i + 3]]}\n${found.lane.name} (${kUnits[boxes[i + 4]][1]}), ` +
      `${microseconds(boxes[i + 1] / clock)} from ${microseconds(boxes[i] / clock)}`;
  }
  canvas.addEventListener("pointermove", (event) => {
    if (drag) {
      const moved = (drag.x - event.clientX) / width() * (drag.to - drag.from);
      drag.moved = drag.moved || Math.abs(drag.x - event.clientX) > 3;
      return show(drag.from + moved, drag.to + moved);
    }
    const found = find(event), layer = found && found.layer !== undefined ? found.layer : -1;
    if (found) showTip(event, tipText(found)); else hideTip();
    if (layer !== hot) { hot = layer; redraw(); }
  });
  canvas.addEventListener("pointerleave", () => { hideTip(); hot = -1; redraw(); });
  canvas.addEventListener("pointerdown", (event) => {
    drag = { x: event.clientX, from, to, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointerup", (event) => {
    const clicked = drag && !drag.moved, found = clicked && find(event);
    drag = null;
    if (!clicked) return;
    pinned = found && found.layer !== undefined ? found.layer : -1;
    if (pinned >= 0) choose(timeline.layers[pinned], timeline.graphs.indexOf(graph));
    redraw();
  });
  canvas.addEventListener("dblclick", (event) => zoom(3, cycleAt(event.clientX - canvas.getBoundingClientRect().left)));
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.shiftKey) return; // plain wheel scrolls the page
    event.preventDefault();
    const turn = event.deltaY || event.deltaX;
    zoom(turn < 0 ? 1.25 : 0.8, cycleAt(event.clientX - canvas.getBoundingClientRect().left));
  }, { passive: false });
  const keys = { "+": () => zoom(1.6), "=": () => zoom(1.6), "-": () => zoom(1 / 1.6), 0: () => show(0, graph.cycles), ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2) };
  canvas.addEventListener("keydown", (event) => {
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  dark.addEventListener("change", redraw);
  new ResizeObserver(redraw).observe(canvas);
  addEventListener("beforeprint", draw);

  const button = (text, label, action) => element("button", { type: "button", "aria-label": label, title: label, onclick: action }, text);
  return {
    node: element("div", {},
      element("div", { class: "tools" },
        timeline.graphs.length > 1 && switcher("Graph", timeline.graphs.map((_, i) => [i, "Graph " + (i + 1)]), 0, (i) => {
          graph = timeline.graphs[i]; pinned = -1; show(0, graph.cycles); }),
        switcher("Colours", [["unit", "By unit"], ["layer", "By layer"]], colours, (key) => { colours = key; redraw(); }),
        element("span", { class: "switch" }, button("+", "Zoom in", () => zoom(1.6)), button("\u2212", "Zoom out", () => zoom(1 / 1.6)), button("All", "Whole run", () => show(0, graph.cycles))),
        element("span", { class: "count" }, "drag to move, Ctrl + wheel or double click to zoom")),
      element("div", { class: "panel" }, canvas)),
    // Marks a layer and brings it into view.
    reveal(name, index, start, span) {
      graph = timeline.graphs[index];
      pinned = timeline.layers.indexOf(name);
      show(start * clock - 0.2 * span * clock, (start + 1.2 * span) * clock);
      canvas.scrollIntoView({ block: "center" });
    },
  };
}
