// report.html: what quantizing each layer, or each block, alone costs.

const kLossInPoints = ["top1", "top5", "spearman-pairs", "cosine"];
const candidateName = (entry) => (entry.weight_bits === 32 && entry.act_bits === 32 ? "float" : "") +
  (entry.weight_bits === 32 ? "" : "W" + entry.weight_bits) + (entry.act_bits === 32 ? "" : "A" + entry.act_bits);

function sensitivityRows(rows) {
  const shown = rows.filter((row) => row.candidates.length > 0).map((row, i) => {
    const effects = new Map(row.candidates.map((entry) => [candidateName(entry), { ...entry, db: entry.sqnr_db }]));
    const losses = row.candidates.map((entry) => entry.loss).filter(known), noise = row.candidates.map((entry) => (entry.exact ? Infinity : entry.sqnr_db ?? Infinity));
    return { name: row.name, op: row.op || `${row.layers.length} layers`, place: i + 1, effects,
      worst: losses.length > 0 ? Math.max(...losses) : -Infinity, noisiest: Math.min(...noise) };
  });
  // As the command prints them: where losses are equal, more noise comes first.
  return shown.sort((a, b) => b.worst - a.worst || a.noisiest - b.noisiest || a.place - b.place);
}
function sensitivitySection() {
  const table = data.sensitivity, unit = kLossInPoints.includes(table.metric) ? 100 : 1, digits = unit === 100 ? 2 : 4;
  const sets = { layers: sensitivityRows(table.layers), blocks: sensitivityRows(table.blocks) };
  const box = element("div", {});
  const lossText = (entry) => (known(entry.loss) ? fixed(unit * entry.loss, digits) + (unit === 100 ? " points" : "") : "\u2013");
  function draw(key) {
    const rows = sets[key], names = [...new Set(rows.flatMap((row) => [...row.effects.keys()]))];
    const top = Math.min(80, Math.max(45, ...rows.flatMap((row) => [...row.effects.values()].map((entry) => entry.db || 0))));
    const columns = [
      { title: key === "blocks" ? "Block" : "Layer", key: (row) => row.place, cell: (row) => element("span", { class: "mono", title: row.name }, middle(row.name)) },
      { title: key === "blocks" ? "Size" : "Op", key: (row) => row.op, cell: (row) => row.op },
      ...names.flatMap((name) => [
        { title: `${name}: loss`, number: true, first: "descending", key: (row) => (row.effects.get(name) || {}).loss, cell: (row) => (row.effects.has(name) ? lossText(row.effects.get(name)) : "\u2013") },
        { title: `${name}: SQNR, dB`, key: (row) => { const entry = row.effects.get(name); return entry && (entry.exact ? Infinity : entry.db); },
          cell: (row) => { const entry = row.effects.get(name); return entry ? dbBar(entry.db, entry.exact, top) : "\u2013"; } }])];
    const list = sortableTable("Sensitivity", columns, null, 20);
    list.set(rows);
    const plotBox = element("div", {});
    const plot = (name) => plotBox.replaceChildren(profileChart(rows.filter((row) => row.effects.has(name)).map((row) => ({ ...row.effects.get(name), row })), {
      label: `SQNR of the model's outputs with one of the ${key} at ${name}, the most sensitive first`, name: (item) => item.row.name,
      text: (item) => `${item.row.name}\n${item.row.op}, ${name} alone\nloss ${lossText(item)}\n${decibels(item.db, item.exact)} dB` + (known(item.kl) ? `\nKL ${short(item.kl)}` : ""),
      go: (item) => list.reveal(item.row), ends: ["worst", "least"] }));
    plot(names[0]);
    box.replaceChildren(element("div", { class: "panel" }, plotBox, dbLegend()),
      names.length > 1 ? element("div", { class: "tools" }, switcher("Width", names.map((name) => [name, name]), names[0], plot)) : "", element("div", { class: "gap" }, list.node));
  }
  section("sensitivity", "Sensitivity", `What the model's outputs lose when one layer alone is quantized and everything else stays float: loss of ${table.metric} over ${count(table.samples)} samples, and SQNR of the outputs. The most sensitive first: they are the first to get more bits.`,
    sets.blocks.length > 0 && element("div", { class: "tools" }, switcher("Rows", [["layers", "Layers"], ["blocks", "Blocks"]], "layers", draw)), box);
  draw("layers");
}
optionalSections.push(sensitivitySection);
