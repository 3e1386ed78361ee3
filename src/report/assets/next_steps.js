// report.html: what to do next, most urgent first: what fails, what is wrong with the model, what
// would save most time, what is not measured yet.

const kMostSteps = 10;

// One step for all lines of the checklist that the same command mends or measures.
function checkSteps(status, tone, urgency) {
  const items = ((data.checklist || {}).items || []).filter((item) => item.status === status && item.fix);
  return [...new Set(items.map((item) => item.fix))].map((fix) => {
    const same = items.filter((item) => item.fix === fix);
    const text = same.length > 1 ? "" : same[0].figure ? `${same[0].figure}, demanded ${same[0].threshold}. ${same[0].reason}` : same[0].reason;
    return { tone, urgency, title: same.map((item) => item.title).join("; "), text, fix };
  });
}
function findingSteps(severity, tone) {
  const list = data.findings.filter((finding) => finding.severity === severity && finding.fix);
  return [...new Set(list.map((finding) => finding.id + "\n" + finding.fix))].map((key) => {
    const same = list.filter((finding) => finding.id + "\n" + finding.fix === key);
    return { tone, urgency: severity, title: same[0].id + (same.length > 1 ? ` (${count(same.length)} places)` : ""), text: same[0].reason, fix: same[0].fix };
  });
}
function savingSteps() {
  const savings = ((data.analysis || {}).findings || []).filter((finding) => finding.saves_us > 0).sort((a, b) => b.saves_us - a.saves_us);
  return savings.slice(0, 1).map((finding) => ({ tone: "", urgency: "faster", title: `predicted to save ${short(finding.saves_us)} \u00b5s`,
    text: finding.reason, fix: finding.command ? "hexquant " + finding.command : finding.fix }));
}
function nextSteps() {
  return [...checkSteps("fail", "bad", "fails"), ...findingSteps("error", "bad"), ...findingSteps("warning", "fair"),
    ...savingSteps(), ...checkSteps("not measured", "", "not measured")];
}
function nextSection() {
  const steps = nextSteps();
  section("next", ["What to do next", "Next"], steps.length > 0 ? "Most urgent first." :
    "Nothing is left to do here. quantize --golden N writes samples, expected outputs and a script to run them on a device.",
    element("ol", { class: "steps" }, steps.slice(0, kMostSteps).map((step) => element("li", { class: "panel finding " + step.tone },
      element("h3", {}, element("span", { class: "severity" }, step.urgency), " ", step.title), step.text && element("p", {}, step.text),
      element("p", { class: step.fix.startsWith("hexquant ") ? "mono fix" : "fix" }, step.fix)))),
    steps.length > kMostSteps && element("p", { class: "lead" }, `${count(steps.length - kMostSteps)} more in the checklist and the findings below.`));
}
openingSections.push(nextSection);
