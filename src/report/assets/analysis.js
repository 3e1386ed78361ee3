"use strict";
// analyze --report: what the latency model predicts. Estimates everywhere, and said so.

function header() {
  const total = data.total, error = data.model_error, chip = data.chip, machine = data.machine;
  page.append(element("h1", {}, String(data.model).split(/[\\/]/).pop()),
    element("ul", { class: "chips", "aria-label": "Settings" },
      [["SoC", `${chip.name} (${chip.description}, HTP ${chip.htp_arch})`], ["clock", fixed(machine.clock_mhz, 0) + " MHz"],
        ["VTCM", bytes(data.vtcm.size_bytes)], ["DDR", fixed(machine.ddr_gb_per_s, 1) + " GB/s"], chip.l2_mb && ["L2", short(chip.l2_mb.value) + " MB"], data.was_float && ["model", "float, as it would be quantized"]]
        .filter(Boolean).map(([name, value]) => element("li", {}, name + " ", element("b", {}, value)))),
    element("div", { class: "panel verdict" },
      element("span", { class: "metric" }, "Predicted time on the accelerator"),
      element("span", { class: "big" }, microseconds(total.time_us)),
      element("span", { class: "change" }, `${microseconds(total.lower_us)} to ${microseconds(total.upper_us)}`),
      element("p", {}, `An estimate. Against the vendor's estimates for HTP ${error.htp_arch}, on ${count(error.micro_cases)} cases kept out of the fit: median error ${percent(error.median, 1)}, ` +
        `nine of ten within ${percent(error.percentile90, 1)}; ${count(error.networks)} networks within ${percent(error.worst_network, 1)}. A call from the host adds about ${microseconds(total.call_overhead_us)}.`)),
    cards());
}
function cards() {
  const total = data.total, vtcm = data.vtcm;
  return element("div", { class: "cards" },
    card("Work", `${short(total.macs / 1e6)} M MAC`, `${count(total.operations)} operations`),
    card("Of the peak", percent(total.utilization, 1), `${fixed(data.machine.peak_tops_int8, 1)} TOPS at 8 bits`),
    card("At the borders", microseconds(total.boundary_us), "conversions and layout of inputs and outputs"),
    card("DDR traffic", bytes(total.ddr_bytes), "an inference"),
    card("VTCM peak", bytes(vtcm.peak_bytes), `of ${bytes(vtcm.size_bytes)}; ${percent(vtcm.utilization, 0)} on average`),
    card("Spill and fill", bytes(vtcm.spill_bytes + vtcm.fill_bytes), vtcm.spill_bytes > 0 ? "activations that found no room" : "all activations stay in VTCM", vtcm.spill_bytes > 0 ? "fair" : undefined));
}
function whatIfSection() {
  if (!data.what_if || data.what_if.length === 0) return;
  const rows = [{ change: "as it is", time_us: data.total.time_us, saves_us: 0, ddr_bytes: data.total.ddr_bytes, vtcm_peak_bytes: data.vtcm.peak_bytes }, ...data.what_if];
  const columns = [
    { title: "What if", key: (row) => row.change, cell: (row) => element("span", { class: "mono" }, row.change) },
    { title: "Time", number: true, key: (row) => row.time_us, cell: (row) => (row.problem ? row.problem : microseconds(row.time_us)) },
    { title: "Saves", number: true, key: (row) => row.saves_us, cell: (row) => (row.problem ? "\u2013" : microseconds(row.saves_us)), first: "descending" },
    { title: "DDR", number: true, key: (row) => row.ddr_bytes, cell: (row) => bytes(row.ddr_bytes) },
    { title: "VTCM peak", number: true, key: (row) => row.vtcm_peak_bytes, cell: (row) => bytes(row.vtcm_peak_bytes) }];
  const table = sortableTable("What if", columns, null, 40);
  section("what-if", "What if", "Each change alone.", table.node);
  table.set(rows);
}

header();
boundsSection(data);
adviceSection(data);
let table = null;
pictureSections(data, (row) => table.reveal(row));
whatIfSection();
table = costTableSection(data);
data.findings = data.findings.filter((finding) => !known(finding.saves_us)); // those are the advice
findingsSection();
footer();
