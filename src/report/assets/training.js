// report.html of `qat`: loss and metric over the epochs.

// One line over the epochs of `rows`, with a dot at the epoch that is the result.
function curvePlot(rows, title, value, text) {
  const width = 580, height = 200, left = 56, right = 12, top = 26, base = 172;
  const shown = rows.filter((row) => known(value(row))), values = shown.map(value);
  const low = Math.min(...values), high = Math.max(...values), last = Math.max(1, data.training.curve.length - 1);
  const x = (row) => left + (width - left - right) * row.epoch / last;
  const y = (row) => base - (base - top) * (value(row) - low) / (high - low || 1);
  const plot = shape("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title} over the epochs, from ${text(shown[0])} to ${text(shown[shown.length - 1])}` });
  for (const [at, label] of [[base, low], [top, high]]) {
    plot.append(shape("path", { class: "grid", d: `M${left} ${at}H${width - right}` }),
      shape("text", { x: left - 6, y: at + 4, "text-anchor": "end" }, short(+label.toPrecision(4))));
  }
  plot.append(shape("text", { x: left, y: 14 }, title), shape("text", { x: left, y: height - 6 }, "epoch 0"),
    shape("text", { x: width - right, y: height - 6, "text-anchor": "end" }, String(last)));
  plot.append(shape("path", { class: "edge", fill: "none", d: "M" + shown.map((row) => `${x(row).toFixed(1)} ${y(row).toFixed(1)}`).join("L") }));
  const best = shown.find((row) => row.epoch === data.training.best_epoch);
  if (best) plot.append(shape("circle", { class: "kept", cx: x(best), cy: y(best), r: 4 }));
  const step = (width - left - right) / last;
  hoverColumns(plot, { width, left: left - step / 2, top, base, step, items: data.training.curve }, (row) => `epoch ${row.epoch}\n${text(row)}`, null);
  return plot;
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
    element("div", { class: "panel" }, curvePlot(training.curve, training.metric, (row) => (known(row.value) ? unit * row.value : null), metricText),
      trained.length > 0 && curvePlot(trained, "loss", (row) => row.loss, lossText)), table.node);
  table.set(training.curve);
}
optionalSections.push(trainingSection);
