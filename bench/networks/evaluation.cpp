#include "networks/evaluation.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "target/placement.h"
#include "target/target.h"

namespace hexquant::networks {
std::vector<KnownCase> known_cases(const std::string& soc,
                                   const std::vector<VendorEstimate>& estimates,
                                   const std::vector<std::string>& only) {
  std::unordered_map<std::string, const VendorEstimate*> by_name;
  for (const VendorEstimate& estimate : estimates) by_name[estimate.name] = &estimate;
  const target::Target target = target::load_target(soc);
  std::vector<KnownCase> known;
  for (Case& item : all_cases()) {
    const auto found = by_name.find(item.name);
    if (found == by_name.end()) continue;
    if (!only.empty() && std::find(only.begin(), only.end(), item.name) == only.end()) continue;
    const graph::Graph graph = structure_of_case(item, soc);
    perf::Workload workload =
        perf::make_workload(graph, target::predict_placement(target.rules, graph));
    known.push_back({std::move(item), std::move(workload), *found->second});
  }
  return known;
}

perf::Prediction predict_case(const KnownCase& known, const target::Soc& soc,
                              const perf::FittedMachine& machine) {
  perf::PredictOptions options;
  options.vtcm_mb = known.vendor.vtcm_mb;
  options.io_on_device = known.item.io_on_device;
  return perf::predict_with(known.workload, soc, options, machine);
}

Ratios ratios(const std::vector<KnownCase>& cases, const target::Soc& soc,
              const perf::FittedMachine& machine) {
  Ratios result;
  for (const KnownCase& known : cases) {
    const perf::Prediction prediction = predict_case(known, soc, machine);
    result.cycles.push_back(prediction.time_us.value * prediction.clock_mhz / known.vendor.cycles);
    result.ddr_bytes.push_back(
        static_cast<double>(prediction.ddr_bytes) /
        static_cast<double>(known.vendor.ddr_read_bytes + known.vendor.ddr_write_bytes));
  }
  return result;
}

ErrorSummary summarize(const std::vector<KnownCase>& cases, const std::vector<double>& ratios,
                       const std::function<bool(const Case&)>& wanted) {
  ErrorSummary summary;
  std::vector<double> errors;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (!wanted(cases[i].item)) continue;
    const double error = std::abs(ratios[i] - 1.0);
    errors.push_back(error);
    if (error < summary.worst) continue;
    summary.worst = error;
    summary.worst_case = cases[i].item.name;
  }
  summary.cases = static_cast<int>(errors.size());
  if (errors.empty()) return summary;
  summary.median = quantile(errors, 0.5);
  summary.percentile90 = quantile(errors, 0.9);
  return summary;
}

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const double position = share * static_cast<double>(values.size() - 1);
  return values[static_cast<std::size_t>(std::lround(position))];
}

}  // namespace hexquant::networks
