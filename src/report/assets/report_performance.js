"use strict";
// report.html: what the latency model predicts for the quantized model.

function performanceSections() {
  const prediction = data.analysis;
  boundsSection(prediction);
  adviceSection(prediction);
  let table = null;
  pictureSections(prediction, (row) => table.reveal(row));
  table = costTableSection(prediction);
}
optionalSections.push(performanceSections);
