// report.html of `qat`: loss and metric over the epochs.

// One line over the epochs of `rows`, with a dot at the epoch that is the result.
function curveChart(rows, title, value, text) {
  const points = rows.filter((row) => known(value(row))).map((row) => ({ epoch: row.epoch, value: value(row), row }));
  const values = points.map((point) => point.value), low = Math.min(...values), high = Math.max(...values);
  const slack = 0.08 * (high - low) || 0.05 * Math.abs(high) || 1, last = Math.max(1, data.training.curve.length - 1);
  return chart({
    label: `${title} over the epochs, from ${text(points[0].row)} to ${text(points[points.length - 1].row)}`, height: 200,
    x: { domain: [-0.5, last + 0.5], orient: "bottom", grid: false, title: "epoch", tickMinStep: 1 }, y: { domain: [low - slack, high + slack], orient: "left", title, tickCount: 5 },
    layers: [layer("line", points, { x: "epoch", y: "value", stroke: ink("accent"), strokeWidth: { value: 1.5 } }),
      layer("symbol", points, { x: "epoch", y: "value", fill: ink("accent"), size: { value: 16 } }),
      layer("symbol", points.filter((point) => point.epoch === data.training.best_epoch), { x: "epoch", y: "value", fill: ink("accent"), size: { value: 90 } })],
    items: points, span: ({ epoch }) => [epoch - 0.5, epoch + 0.5], text: ({ epoch, row }) => `epoch ${epoch}\n${text(row)}`,
    columns: ["Epoch", title], cells: (point) => [String(point.epoch), short(point.value)],
  });
}
function trainingSection() {
  const training = data.training, unit = ["top1", "top5", "spearman-pairs", "cosine"].includes(training.metric) ? 100 : 1;
  const metricText = (row) => `${training.metric} ${known(row.value) ? fixed(unit * row.value, unit === 100 ? 2 : 4) : "\u2013"}`;
  const lossText = (row) => (known(row.loss) ? `loss ${fixed(row.loss, 4)}` : "before training");
  const columns = [
    { title: "Epoch", number: true, key: (row) => row.epoch, cell: (row) => [String(row.epoch) + " ", row.epoch === training.best_epoch && element("span", { class: "tag" }, "result")] },
    { title: "Loss", number: true, key: (row) => row.loss, cell: (row) => (known(row.loss) ? fixed(row.loss, 4) : "\u2013") },
    { title: training.metric, number: true, key: (row) => row.value, cell: (row) => (known(row.value) ? fixed(unit * row.value, unit === 100 ? 2 : 4) : "\u2013") },
    { title: "Learning rate", number: true, key: (row) => row.learning_rate, cell: (row) => (row.steps > 0 ? row.learning_rate.toPrecision(3) : "\u2013") },
    { title: "Samples/s", number: true, key: (row) => row.samples_per_s, cell: (row) => (row.steps > 0 ? fixed(row.samples_per_s, 0) : "\u2013") },
    { title: "Took", number: true, key: (row) => row.seconds, cell: (row) => seconds(row.seconds) }];
  const table = sortableTable("Epochs", columns, null, 20);
  const trained = training.curve.filter((row) => known(row.loss));
  section("training", "Training", [`${count(training.parameters)} weights and ranges, ${training.loss}, ${training.optimizer}; the result is epoch ${training.best_epoch}.`,
    training.stopped && ` Ended early: ${training.stopped}.`],
    element("div", { class: "panel pair" }, curveChart(training.curve, training.metric, (row) => (known(row.value) ? unit * row.value : null), metricText),
      trained.length > 0 && curveChart(trained, "loss", (row) => row.loss, lossText)), element("div", { class: "gap" }, table.node));
  table.set(training.curve);
}
optionalSections.push(trainingSection);
