"use strict";
// What all pages share. Text from the data goes through element() and charts only, which make text
// nodes and attributes: no name of a tensor can become markup.

const data = JSON.parse(document.getElementById("data").textContent);
const page = document.getElementById("page");

function fill(node, options, children) {
  for (const [key, value] of Object.entries(options || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "style") node.style.cssText = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat(9)) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}
const element = (tag, options, ...children) => fill(document.createElement(tag), options, children);

// ---- numbers
const known = (value) => typeof value === "number" && Number.isFinite(value);
const fixed = (value, digits) => (known(value) ? value.toFixed(digits).replace("-", "\u2212") : "\u2013");
const signed = (value, digits) => (value > 0 ? "+" : "") + fixed(value, digits);
const percent = (fraction, digits = 2) => (known(fraction) ? fixed(100 * fraction, digits) + " %" : "\u2013");
const share = (fraction) => (fraction === 0 ? "0 %" : fraction > 0 && fraction < 1e-5 ? "< 0.001 %" : percent(fraction, fraction < 0.001 ? 3 : 2));
function short(value) {
  if (!known(value)) return "\u2013";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(2).replace("-", "\u2212");
  return String(+value.toPrecision(4)).replace("-", "\u2212");
}
const count = (value) => (known(value) ? value.toLocaleString("en") : "\u2013");
function bytes(value) {
  if (!known(value)) return "\u2013";
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (value >= 1024 && unit < 3) { value /= 1024; unit += 1; }
  return (unit === 0 ? value : value.toFixed(value < 10 ? 2 : 1)) + " " + units[unit];
}
function seconds(value) {
  if (!known(value)) return "\u2013";
  return value < 0.01 ? "< 0.01 s" : value < 120 ? value.toFixed(2) + " s" : (value / 60).toFixed(1) + " min";
}
function median(values) {
  const sorted = values.filter(known).sort((a, b) => a - b), half = sorted.length >> 1;
  if (sorted.length === 0) return null;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
const middle = (text, size = 60) =>
  text.length <= size ? text : text.slice(0, Math.floor(size * 0.4)) + "\u2026" + text.slice(-Math.floor(size * 0.55));

// ---- decibels: one scale of colours for tables and plots
const kGuideDb = 30;
const kSensitiveDb = 25;
const kLevels = [
  { below: 20, tone: "q0", text: "below 20 dB" },
  { below: kSensitiveDb, tone: "q1", text: "20\u201325 dB: sensitive" },
  { below: kGuideDb, tone: "q2", text: "25\u201330 dB: below the guide" },
  { below: 40, tone: "q3", text: "30\u201340 dB" },
  { below: Infinity, tone: "q4", text: "40 dB and more" },
];
const toneOf = (db, exact) =>
  exact ? "q4" : known(db) ? kLevels.find((level) => db < level.below).tone : "q5";
const decibels = (db, exact) => (exact ? "exact" : fixed(db, 1));
function dbBar(db, exact, top) {
  const part = exact ? 1 : known(db) ? Math.min(Math.max(db / top, 0), 1) : 0;
  return element("div", { class: "db " + toneOf(db, exact) },
    element("span", { class: "figure" }, decibels(db, exact)),
    element("span", { class: "track", "aria-hidden": "true" },
      element("span", { class: "fill", style: "width:" + (100 * part).toFixed(1) + "%" }),
      element("span", { class: "guide", style: "left:" + (100 * kGuideDb / top).toFixed(1) + "%" })));
}
function dbLegend() {
  return element("ul", { class: "legend", "aria-label": "Colours" },
    kLevels.map((level) => element("li", { class: level.tone }, element("i"), level.text)),
    element("li", {}, element("i", { class: "line" }), "guides at 30 dB (checklist) and 25 dB (sensitive)"));
}

// ---- page
// Sections that a page holds only when it has rows for them; drawn where the page's script says.
const optionalSections = [];
// The same for those that come first, before findings and layers.
const openingSections = [];
// `titles` is the heading, or [heading, shorter text for the navigation].
function section(id, titles, lead, ...children) {
  const [title, shorter = title] = [titles].flat();
  document.getElementById("nav").append(element("a", { href: "#" + id }, shorter));
  const node = element("section", { id, "aria-labelledby": id + "-title" },
    element("h2", { id: id + "-title" }, title), lead && element("p", { class: "lead" }, lead), children);
  page.append(node);
  return node;
}
const card = (name, value, note, tone) =>
  element("div", { class: "panel " + (tone || "") }, element("div", { class: "name" }, name),
    element("div", { class: "value", style: tone && "color:var(--tone)" }, value),
    note && element("div", { class: "note" }, note));
// A panel that scrolls sideways, by keyboard too.
const scrollBox = (label, ...children) => element("div", { class: "panel scroll", tabindex: "0", role: "region", "aria-label": label }, children);
const facts = (pairs) =>
  element("dl", { class: "facts" }, pairs.map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
function jsonBlock(title, value) {
  return element("details", { class: "panel block" }, element("summary", {}, title),
    element("pre", { tabindex: "0" }, JSON.stringify(value, null, 2)));
}
function switcher(label, options, chosen, change) {
  const buttons = options.map(([key, text]) =>
    element("button", { type: "button", "aria-pressed": String(key === chosen), onclick: () => choose(key) }, text));
  function choose(key) {
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(options[i][0] === key)));
    if (key !== null) change(key);
  }
  const node = element("span", { class: "switch", role: "group", "aria-label": label }, buttons);
  node.clear = () => choose(null);
  return node;
}
function footer() {
  const versions = Object.entries(data.versions || {}).map(([name, version]) => name + " " + version);
  page.append(element("footer", {}, versions.join(" \u00b7 ") + " \u00b7 " + data.schema +
    " \u00b7 this file is complete in itself and loads nothing from anywhere"));
}

// ---- findings
function findingsSection() {
  if (data.findings.length === 0) {
    section("findings", "Findings", null, element("p", { class: "lead" }, "Nothing to report."));
    return;
  }
  const groups = new Map();
  for (const finding of data.findings) {
    const key = finding.severity + "\n" + finding.id;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(finding);
  }
  const order = ["error", "warning", "info"], tones = { error: "bad", warning: "fair", info: "" };
  const list = [...groups.values()].sort((a, b) => order.indexOf(a[0].severity) - order.indexOf(b[0].severity));
  section("findings", "Findings", null, list.map((group) => findingGroup(group, tones[group[0].severity] ?? "")));
}
function findingGroup(group, tone) {
  const first = group[0], reasons = new Set(group.map((finding) => finding.reason));
  const fixes = [...new Set(group.map((finding) => finding.fix).filter(Boolean))];
  const places = element("ul", {}, group.map((finding) => element("li", {}, element("span", { class: "mono" }, finding.where),
    reasons.size > 1 && ": " + finding.reason)));
  const one = reasons.size === 1;
  return element("div", { class: "panel finding " + tone },
    element("h3", {}, element("span", { class: "severity" }, first.severity), first.id, group.length > 1 && element("span", { class: "chip" }, count(group.length) + " places")),
    one && element("p", {}, group.length === 1 && [element("span", { class: "mono" }, first.where), ": "], first.reason),
    fixes.map((fix) => element("p", { class: "fix" }, element("b", {}, "Fix: "), fix)),
    group.length > 1 && (group.length <= 4 ? places : element("details", {}, element("summary", {}, "Where"), places)));
}

// ---- tooltip
const tip = document.getElementById("tip");
function showTip(event, text) {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 8)) + "px";
  tip.style.top = (event.clientY + box.height + 26 > innerHeight ? event.clientY - box.height - 12 : event.clientY + 18) + "px";
}
const hideTip = () => { tip.hidden = true; };

// ---- a sortable table that shows `limit` rows until asked for all
// columns: {title, key(row) for sorting, cell(row), number, first: "ascending"|"descending"}
function sortableTable(caption, columns, detail, limit) {
  const body = element("tbody"), more = element("button", { type: "button", class: "more" });
  let rows = [], sort = null, all = false;
  const heads = columns.map((column) => element("th", { scope: "col", class: column.number && "number" },
    column.key ? element("button", { type: "button", onclick: () => sortBy(column) }, column.title) : column.title));
  function sortBy(column, direction) {
    const again = sort && sort.column === column;
    const flip = again && (sort.direction === "ascending" ? "descending" : "ascending");
    sort = { column, direction: direction || flip || column.first || "ascending" };
    if (!direction && table.onsort) table.onsort();
    render();
  }
  function ordered() {
    if (!sort) return rows;
    const sign = sort.direction === "ascending" ? 1 : -1;
    return rows.map((row, i) => [sort.column.key(row), i, row]).sort(([a, i], [b, j]) => {
      const lost = (value) => value === null || value === undefined || Number.isNaN(value);
      if (lost(a) || lost(b)) return lost(a) - lost(b) || i - j; // unknown last, either way
      return (a < b ? -sign : a > b ? sign : 0) || i - j;
    }).map((entry) => entry[2]);
  }
  function makeRow(row) {
    const cells = columns.map((column, i) => element(i === 0 ? "th" : "td",
      { scope: i === 0 && "row", class: column.number && "number" }, column.cell(row)));
    const node = element("tr", { class: "row" }, cells);
    const button = detail && cells[0].querySelector(".open");
    if (button) button.addEventListener("click", () => toggle(node, button, row));
    return node;
  }
  function toggle(node, button, row) {
    const open = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!open));
    if (open) node.nextSibling.remove();
    else node.after(element("tr", {}, element("td", { class: "more-cell", colspan: columns.length }, detail(row))));
  }
  function render() {
    heads.forEach((head, i) => {
      if (sort && sort.column === columns[i]) head.setAttribute("aria-sort", sort.direction);
      else head.removeAttribute("aria-sort");
    });
    const list = ordered(), shown = all ? list : list.slice(0, limit);
    body.replaceChildren(...shown.map(makeRow));
    if (rows.length === 0) body.append(element("tr", {}, element("td", { colspan: columns.length }, "Nothing matches.")));
    more.hidden = shown.length === list.length;
    more.textContent = `Show all ${count(list.length)}`;
  }
  more.addEventListener("click", () => { all = true; render(); });
  addEventListener("beforeprint", () => { all = true; render(); });
  const table = {
    node: element("div", {}, scrollBox(caption,
      element("table", { "aria-label": caption }, element("thead", {}, element("tr", {}, heads)), body)), more),
    set(list) { rows = list; render(); },
    sortBy, unsort() { sort = null; render(); },
    reveal(row) {
      let i = ordered().indexOf(row);
      if (i < 0) return;
      if (!all && i >= limit) { all = true; render(); }
      const node = [...body.querySelectorAll("tr.row")][i], button = node.querySelector(".open");
      if (button && button.getAttribute("aria-expanded") !== "true") button.click();
      node.scrollIntoView({ block: "center" });
    },
  };
  return table;
}
