// report.html: the sign-off checklist, as `quantize` can know it or as `check` measured it.

const kCheckStates = { pass: ["good", "\u2713", "passes"], fail: ["bad", "\u2717", "fails"], "not measured": ["", "\u2013", "not measured"] };

function checkTone(list) { return list.failed > 0 ? "bad" : list.not_measured > 0 ? "fair" : "good"; }
function checkCounts(list) {
  return [[list.passed, list.passed === 1 ? "passes" : "pass"], [list.failed, list.failed === 1 ? "fails" : "fail"], [list.not_measured, "not measured"]]
    .filter(([number]) => number > 0).map(([number, text]) => `${count(number)} ${text}`).join(", ");
}
function checkVerdict(list) {
  const failing = list.items.filter((item) => item.status === "fail").map((item) => item.title);
  const sentence = failing.length > 0 ? "Fails: " + failing.join("; ") + "."
    : list.not_measured > 0 ? "Nothing that was measured fails."
    : "Every line passes.";
  return element("div", { class: "panel verdict " + checkTone(list) },
    element("span", { class: "metric" }, "Sign-off"),
    element("span", { class: "big" }, list.failed > 0 ? "Not yet" : list.not_measured > 0 ? "So far so good" : "Ready"),
    element("span", { class: "change" }, checkCounts(list)), element("p", {}, sentence));
}
function checkLine(item) {
  const [tone, mark, text] = kCheckStates[item.status];
  return element("tr", { class: "row " + tone },
    element("td", { class: "state" }, element("b", { "aria-hidden": "true" }, mark + " "), text),
    element("th", { scope: "row" }, item.title, item.reason && element("div", { class: "quiet note" }, item.reason),
      item.fix && element("div", { class: "mono note" }, "\u2192 " + item.fix)),
    element("td", {}, item.figure || "\u2013"), element("td", {}, item.threshold));
}
function checklistSection() {
  const list = data.checklist, groups = [...new Set(list.items.map((item) => item.group))];
  const whole = list.items.every((item) => item.reason !== "the samples were not read again");
  section("checklist", "Checklist", ["Each line with what was found and what is demanded. ",
    !whole && ["Lines that need the samples or repeated runs are measured by ", element("span", { class: "mono" }, `hexquant check ${list.folder}`), ", which renews this section."]],
    checkVerdict(list),
    element("div", { class: "gap" }, scrollBox("Checklist",
      element("table", { "aria-label": "Checklist", class: "checklist" },
        element("thead", {}, element("tr", {}, ["Result", "Line", "Found", "Demanded"].map((title) => element("th", { scope: "col" }, title)))),
        groups.map((group) => element("tbody", {}, element("tr", {}, element("th", { scope: "rowgroup", colspan: "4", class: "group" }, group)),
          list.items.filter((item) => item.group === group).map(checkLine)))))));
}
openingSections.push(checklistSection);
