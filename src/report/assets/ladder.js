// report.html of `auto`: the rungs of the ladder.

function ladderSection() {
  const unit = ["top1", "top5", "spearman-pairs", "cosine"].includes(data.summary.metric) ? 100 : 1, digits = unit === 100 ? 2 : 4;
  const columns = [
    { title: "Method", cell: (row) => [row.method + " ", row.chosen && element("span", { class: "tag" }, "chosen")] },
    { title: data.summary.metric, number: true, key: (row) => row.value, cell: (row) => fixed(known(row.value) ? unit * row.value : null, digits) },
    { title: "Loss", number: true, key: (row) => row.loss, cell: (row) => element("span", { class: row.ran ? (row.meets_target ? "good" : "bad") : "quiet" }, fixed(known(row.loss) ? unit * row.loss : null, digits)) },
    { title: "Predicted", number: true, key: (row) => row.predicted_us, cell: (row) => (known(row.predicted_us) ? fixed(row.predicted_us, 1) + " \u00b5s" : "\u2013") },
    { title: "Took", number: true, key: (row) => row.seconds, cell: (row) => (row.ran ? seconds(row.seconds) : "\u2013") },
    { title: "Why", cell: (row) => row.reason }];
  const table = sortableTable("Ladder", columns, null, 20);
  const met = data.rungs.some((row) => row.meets_target);
  section("ladder", "Ladder", met ? "Methods by what they cost; the cheapest that meets the target is the result." :
    "No method meets the target; the most accurate is the result.", table.node);
  table.set(data.rungs);
}
openingSections.push(ladderSection);
