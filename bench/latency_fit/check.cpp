#include "latency_fit/check.h"

#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "core/file_io.h"
#include "core/format.h"
#include "evaluate/metrics.h"
#include "networks/evaluation.h"
#include "target/target.h"

namespace hexquant::latency_fit {
namespace {

using networks::Case;
using networks::ErrorSummary;
using networks::KnownCase;

constexpr double kLargestMedian = 0.12;
constexpr double kLargestPercentile90 = 0.30;
constexpr double kLargestNetwork = 0.20;
constexpr double kLeastSpearman = 0.95;
constexpr double kLargestDdr = 0.15;

void print(const char* title, const ErrorSummary& summary) {
  if (summary.cases == 0) return;
  std::printf("  %-34s %4d  median %5.1f %%  p90 %5.1f %%  worst %5.1f %% (%s)\n", title,
              summary.cases, 100 * summary.median, 100 * summary.percentile90, 100 * summary.worst,
              summary.worst_case.c_str());
}

bool is_variant(const Case& item) {
  return item.kind == "variants";
}

bool is_small_vtcm(const Case& item) {
  return item.kind == "vtcm";
}

void print_kinds(const std::vector<KnownCase>& cases, const std::vector<double>& cycles) {
  std::set<std::string> kinds;
  for (const KnownCase& known : cases) kinds.insert(known.item.kind);
  for (const std::string& kind : kinds) {
    print(kind.c_str(),
          networks::summarize(cases, cycles, [&](const Case& item) { return item.kind == kind; }));
  }
}

void print_cases(const std::vector<KnownCase>& cases, const networks::Ratios& ratios) {
  for (std::size_t i = 0; i < cases.size(); ++i) {
    std::printf("  %-36s %s %s vendor %9.0f cycles, predicted %+6.1f %%, DDR %+6.1f %%\n",
                cases[i].item.name.c_str(), cases[i].item.kept_out ? "kept" : "fit ",
                cases[i].item.io_on_device ? "f" : "u", cases[i].vendor.cycles,
                100 * (ratios.cycles[i] - 1), 100 * (ratios.ddr_bytes[i] - 1));
  }
}

/// One line an operation: what is predicted, to be set beside the vendor's layers.
void write_operations(const std::filesystem::path& path, const std::vector<KnownCase>& cases,
                      const target::Soc& soc, const perf::FittedMachine& machine) {
  std::string text =
      "case,operation,kind,matrix_cycles,vector_thread_cycles,exclusive_cycles,bound,"
      "boundary_cycles\n";
  for (const KnownCase& known : cases) {
    const perf::Prediction prediction = networks::predict_case(known, soc, machine);
    for (std::size_t i = 0; i < prediction.operations.size(); ++i) {
      const perf::OperationCost& cost = prediction.operations[i];
      const perf::Operation& operation = known.workload.operations[i];
      text += format("{},{},{},{:.0f},{:.0f},{:.0f},{},{:.0f}\n", known.item.name, operation.name,
                     perf::work_kind_name(operation.kind), cost.matrix_cycles,
                     cost.vector_cycles * machine.constants.vector_threads,
                     cost.time_us.value * prediction.clock_mhz, perf::bound_name(cost.bound),
                     prediction.boundary_us * prediction.clock_mhz);
    }
  }
  write_file(path, text);
}

/// Spilled and filled bytes with less VTCM: vendor and prediction.
void print_spills(const std::vector<KnownCase>& cases, const target::Soc& soc,
                  const perf::FittedMachine& machine) {
  for (const KnownCase& known : cases) {
    if (!known.item.is_network) continue;
    const perf::VtcmSummary vtcm = networks::predict_case(known, soc, machine).vtcm;
    if (known.vendor.spill_bytes + vtcm.spill_bytes == 0 && known.item.kind != "vtcm") continue;
    std::printf(
        "  %-36s spill %9lld predicted %9lld, fill %9lld predicted %9lld, peak %9lld %9lld\n",
        known.item.name.c_str(), static_cast<long long>(known.vendor.spill_bytes),
        static_cast<long long>(vtcm.spill_bytes), static_cast<long long>(known.vendor.fill_bytes),
        static_cast<long long>(vtcm.fill_bytes),
        static_cast<long long>(known.vendor.vtcm_peak_bytes),
        static_cast<long long>(vtcm.peak_bytes));
  }
}

double variant_order(const std::vector<KnownCase>& cases, const std::vector<double>& ratios) {
  std::vector<double> predicted;
  std::vector<double> vendor;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (!is_variant(cases[i].item)) continue;
    vendor.push_back(cases[i].vendor.cycles);
    predicted.push_back(cases[i].vendor.cycles * ratios[i]);
  }
  return vendor.empty() ? 1.0 : evaluate::spearman(predicted, vendor);
}

bool check_machine(const perf::FittedMachine& machine, const std::filesystem::path& results,
                   bool each_case, const std::filesystem::path& operations) {
  const auto estimates = networks::read_estimates(results / (machine.soc + ".csv"));
  const auto cases = networks::known_cases(machine.soc, estimates);
  const target::Soc soc = target::load_target(machine.soc).soc;
  const networks::Ratios ratios = networks::ratios(cases, soc, machine);
  std::printf("%s (%s), %zu cases\n", machine.htp_arch.c_str(), machine.soc.c_str(), cases.size());
  if (!operations.empty()) write_operations(operations, cases, soc, machine);
  if (each_case) print_cases(cases, ratios);
  const auto micro = [](bool kept) {
    return [kept](const Case& item) { return !item.is_network && item.kept_out == kept; };
  };
  const auto whole = [](bool kept) {
    return [kept](const Case& item) {
      return item.is_network && !is_variant(item) && !is_small_vtcm(item) && item.kept_out == kept;
    };
  };
  const auto kept = [](const Case& item) {
    return item.kept_out && !is_variant(item) && !is_small_vtcm(item);
  };
  print("layers, fitted", summarize(cases, ratios.cycles, micro(false)));
  print("layers, kept out", summarize(cases, ratios.cycles, micro(true)));
  print("networks, fitted", summarize(cases, ratios.cycles, whole(false)));
  const ErrorSummary networks_kept = summarize(cases, ratios.cycles, whole(true));
  print("networks, kept out", networks_kept);
  print("variants", summarize(cases, ratios.cycles, is_variant));
  print("less VTCM", summarize(cases, ratios.cycles, is_small_vtcm));
  const ErrorSummary all_kept = summarize(cases, ratios.cycles, kept);
  print("all kept out", all_kept);
  const ErrorSummary ddr = summarize(cases, ratios.ddr_bytes, [](const Case&) { return true; });
  print("DDR bytes, all", ddr);
  const double order = variant_order(cases, ratios.cycles);
  std::printf("  order of the variants (Spearman)   %.4f\n", order);
  print_spills(cases, soc, machine);
  if (each_case) print_kinds(cases, ratios.cycles);
  return all_kept.median <= kLargestMedian && all_kept.percentile90 <= kLargestPercentile90 &&
         networks_kept.worst <= kLargestNetwork && order >= kLeastSpearman &&
         ddr.percentile90 <= kLargestDdr;
}

}  // namespace

int check(const std::filesystem::path& data, const std::filesystem::path& results,
          const std::string& soc, bool cases, const std::filesystem::path& operations) {
  bool reached = true;
  for (const auto& machine : perf::parse_latency_data(read_file(data), data.string())) {
    if (!soc.empty() && machine.soc != soc) continue;
    reached = check_machine(machine, results, cases, operations) && reached;
  }
  return reached ? 0 : 1;
}

}  // namespace hexquant::latency_fit
