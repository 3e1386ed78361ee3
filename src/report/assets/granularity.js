"use strict";
// Page of `hexquant granularity`.

const kChoices = [["tensor", "per tensor"], ["channel", "per channel"], ["group:128", "per group of 128"], ["group:32", "per group of 32"]];
const errorOf = (row, schema, choice) => row[schema][choice];
data.weights.forEach((row, i) => { row.index = i + 1; });

function overview() {
  page.append(element("h1", {}, String(data.model).split(/[\\/]/).pop()),
    element("ul", { class: "chips" }, [["weights", `${count(data.weights.length)} tensors, ${count(data.total.elements)} elements`],
      ["codes", `${data.weight_bits} bits, min-max, nearest`], ["SoC", data.soc]].map(([name, value]) => element("li", {}, name + " ", element("b", {}, value)))));
  const codeBytes = data.total.elements * data.weight_bits / 8;
  section("total", "All weights", "One scale must serve all weights that share it: finer scales follow the weights more closely and take more room.",
    scrollBox("All weights", element("table", { "aria-label": "All weights" },
      element("thead", {}, element("tr", {}, ["Scales", "Symmetric, dB", "MSE", "Asymmetric, dB", "MSE", "Scale bytes", "Layers that run"].map((title) => element("th", { scope: "col" }, title)))),
      element("tbody", {}, kChoices.map(([choice, text]) => {
        const symmetric = errorOf(data.total, "symmetric", choice), asymmetric = errorOf(data.total, "asymmetric", choice);
        const runs = data.weights.filter((row) => row.runs[choice]).length;
        return element("tr", {}, element("th", { scope: "row" }, text),
          element("td", {}, dbBar(symmetric.sqnr_db, symmetric.exact, 60)), element("td", {}, symmetric.mse.toExponential(3)),
          element("td", {}, dbBar(asymmetric.sqnr_db, asymmetric.exact, 60)), element("td", {}, asymmetric.mse.toExponential(3)),
          element("td", {}, `${bytes(symmetric.scale_bytes)} (${share(symmetric.scale_bytes / codeBytes)})`),
          element("td", {}, `${runs} of ${data.weights.length}`));
      })))), dbLegend());
}

function layers() {
  const plotBox = element("div", { class: "panel" });
  let schema = "symmetric", choice = "channel";
  const item = (row) => ({ ...errorOf(row, schema, choice), row, db: errorOf(row, schema, choice).sqnr_db });
  function draw() {
    plotBox.replaceChildren(profileChart(data.weights.map(item), { label: "SQNR of each weight tensor in graph order", name: (entry) => entry.row.layer,
      text: (entry) => `${entry.row.layer}\n${entry.row.op} [${entry.row.shape.join(", ")}]\n${decibels(entry.db, entry.exact)} dB`,
      go: (entry) => table.reveal(entry.row) }), dbLegend());
  }
  const sqnr = (name, title) => ({ title, number: true, key: (row) => { const error = errorOf(row, "symmetric", name); return error.exact ? Infinity : error.sqnr_db; },
    cell: (row) => decibels(errorOf(row, "symmetric", name).sqnr_db, errorOf(row, "symmetric", name).exact) });
  const columns = [
    { title: "Layer", key: (row) => row.index, cell: (row) => element("button", { type: "button", class: "open", "aria-expanded": "false", title: row.layer }, middle(row.layer || row.weight)) },
    { title: "Op", key: (row) => row.op, cell: (row) => row.op },
    { title: "Shape", number: true, key: (row) => row.elements, cell: (row) => row.shape.join(" \u00d7 ") },
    ...kChoices.map(([name, text]) => sqnr(name, text.replace("per ", "").replace("group of", "group") + ", dB")),
    { title: "Runs", cell: (row) => kChoices.filter(([name]) => row.runs[name]).map(([name]) => name).join(", ") || "none" },
  ];
  const table = sortableTable("Weights", columns, detail, 25);
  section("weights", "Weights of each layer", "Symmetric codes in the table; the plot shows the choice of the switches.",
    element("div", { class: "tools" }, switcher("Codes", [["symmetric", "Symmetric"], ["asymmetric", "Asymmetric"]], schema, (key) => { schema = key; draw(); }),
      switcher("Scales", kChoices, choice, (key) => { choice = key; draw(); })), plotBox, element("div", { class: "tools" }), table.node);
  table.set(data.weights);
  table.sortBy(columns[4], "ascending");
  draw();
}
function detail(row) {
  return element("div", {}, facts([["layer", element("span", { class: "mono" }, row.layer)], ["weight", element("span", { class: "mono" }, row.weight)]]),
    element("table", { "aria-label": "Errors" }, element("tbody", {}, kChoices.map(([name, text]) => element("tr", {}, element("th", { scope: "row" }, text),
      ["symmetric", "asymmetric"].map((schema) => element("td", {}, `${schema}: ${decibels(row[schema][name].sqnr_db, row[schema][name].exact)} dB, MSE ${row[schema][name].mse.toExponential(3)}`)),
      element("td", {}, bytes(row.symmetric[name].scale_bytes) + " of scales"))))));
}

overview();
layers();
footer();
