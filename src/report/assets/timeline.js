// Lanes over time with zoom, drawn on a canvas: a model has thousands of intervals. Below them a
// chart of VTCM, which shows the same part of the time. `clock` is in MHz, so that cycles / clock are microseconds.

const kUnits = [["hmx", "HMX", "--s3"], ["hvx", "HVX", "--s2"], ["dma", "DMA", "--s1"], ["control", "control", "--s0"]];
const kBox = 5; // start, length, layer, operation, unit
const kLane = 20, kGap = 3, kLeft = 84, kRight = 10, kAxis = 22;

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

// Bytes of VTCM in use over time; its plot lies exactly below the lanes.
function vtcmChart(graph, clock) {
  const end = graph.cycles / clock, limit = graph.vtcm_bytes || 1, steps = [];
  for (let i = 0; i < graph.vtcm.length; i += 2) steps.push({ from: graph.vtcm[i] / clock, to: (i + 2 < graph.vtcm.length ? graph.vtcm[i + 2] / clock : end), used: graph.vtcm[i + 1] });
  const last = steps.length > 0 ? [{ from: end, used: steps[steps.length - 1].used }] : [], most = Math.max(0, ...steps.map((step) => step.used));
  const top = most > limit / 4 || most === 0 ? limit : 1.25 * most; // little use of much would not be seen
  const area = layer("area", [...steps, ...last], { x: "from", y: "used", y2: { scale: "y", value: 0 }, interpolate: { value: "step-after" }, fill: ink("accent"), opacity: { value: 0.75 } });
  return chart({
    label: `VTCM in use over time: ${bytes(most)} of ${bytes(graph.vtcm_bytes)} at most`, height: 84, padding: { left: kLeft, right: kRight, top: 8, bottom: 20 },
    x: { domain: [0, end], orient: "bottom", grid: false, ticks: false, labels: false }, y: { domain: [0, top], orient: "left", values: [0, top / 2, top], title: "VTCM",
      label: `datum.value === 0 ? '0' : datum.value < ${top} ? ${JSON.stringify(bytes(top / 2))} : ${JSON.stringify(bytes(top))}` },
    layers: [{ ...area, clip: true }], items: steps, span: ({ from, to }) => [from, to],
    text: ({ from, to, used }) => `VTCM from ${microseconds(from)} to ${microseconds(to)}\n${bytes(used)} of ${bytes(graph.vtcm_bytes)}`,
    columns: ["From", "To", "VTCM in use"], cells: ({ from, to, used }) => [microseconds(from), microseconds(to), bytes(used)],
  });
}

function timelineView(timeline, clock, choose) {
  let graph = timeline.graphs[0], vtcm = null, from = 0, to = graph.cycles, colours = "unit", hot = -1, pinned = -1, drag = null;
  const canvas = element("canvas", { class: "timeline", tabindex: "0", role: "img",
    "aria-label": "Timeline of the hardware lanes; the table of layers holds the same times" });
  const context = canvas.getContext("2d"), memory = element("div", {});
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
    const height = rows() + kAxis + 2, ratio = devicePixelRatio || 1;
    canvas.style.height = height + "px";
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = "12px system-ui, sans-serif";
    drawAxis(rows() + 2);
    const palette = new Map();
    graph.lanes.forEach((lane, i) => {
      const top = i * (kLane + kGap);
      context.fillStyle = style("--soft");
      context.textAlign = "right";
      context.fillText(lane.name, kLeft - 8, top + 14);
      drawLane(lane, top, palette);
    });
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
    vtcm.setDomain([from / clock, to / clock]);
    redraw();
  }
  const zoom = (factor, at = (from + to) / 2) => show(at - (at - from) / factor, at + (to - at) / factor);
  const pan = (part) => show(from + part * (to - from), to + part * (to - from));

  // ---- what lies under the pointer
  function find(event) {
    const box = canvas.getBoundingClientRect(), at = cycleAt(event.clientX - box.left), y = event.clientY - box.top;
    if (at < from || at > to) return null;
    const lane = graph.lanes[Math.floor(y / (kLane + kGap))];
    const i = lane ? boxAt(lane.boxes, at, 2 * (to - from) / width()) : -1;
    return i < 0 ? null : { lane, i, layer: lane.boxes[i + 2] };
  }
  function tipText(found) {
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
    const found = find(event), layer = found ? found.layer : -1;
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
    pinned = found ? found.layer : -1;
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

  function chooseGraph(i) {
    graph = timeline.graphs[i];
    vtcm = vtcmChart(graph, clock);
    memory.replaceChildren(vtcm);
  }
  chooseGraph(0);

  const button = (text, label, action) => element("button", { type: "button", "aria-label": label, title: label, onclick: action }, text);
  return {
    node: element("div", {},
      element("div", { class: "tools" },
        timeline.graphs.length > 1 && switcher("Graph", timeline.graphs.map((_, i) => [i, "Graph " + (i + 1)]), 0, (i) => {
          pinned = -1; chooseGraph(i); show(0, graph.cycles); }),
        switcher("Colours", [["unit", "By unit"], ["layer", "By layer"]], colours, (key) => { colours = key; redraw(); }),
        element("span", { class: "switch" }, button("+", "Zoom in", () => zoom(1.6)), button("\u2212", "Zoom out", () => zoom(1 / 1.6)), button("All", "Whole run", () => show(0, graph.cycles))),
        element("span", { class: "count" }, "drag to move, Ctrl + wheel or double click to zoom")),
      element("div", { class: "panel" }, canvas, memory)),
    // Marks a layer and brings it into view.
    reveal(name, index, start, span) {
      chooseGraph(index);
      pinned = timeline.layers.indexOf(name);
      show(start * clock - 0.2 * span * clock, (start + 1.2 * span) * clock);
      canvas.scrollIntoView({ block: "center" });
    },
  };
}
