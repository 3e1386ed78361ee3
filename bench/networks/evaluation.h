#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "networks/cases.h"
#include "networks/vendor_estimates.h"
#include "perf/latency_data.h"
#include "perf/workload.h"
#include "target/soc.h"

namespace hexquant::networks {

/// A case with its work and what the vendor says of it.
struct KnownCase {
  Case item;
  perf::Workload workload;
  VendorEstimate vendor;
};

/// The cases that `estimates` holds, in their order. @param only  names; empty = all
[[nodiscard]] std::vector<KnownCase> known_cases(const std::string& soc,
                                                 const std::vector<VendorEstimate>& estimates,
                                                 const std::vector<std::string>& only = {});

[[nodiscard]] perf::Prediction predict_case(const KnownCase& known, const target::Soc& soc,
                                            const perf::FittedMachine& machine);

/// |predicted / vendor - 1| of some cases.
struct ErrorSummary {
  int cases = 0;
  double median = 0.0;
  double percentile90 = 0.0;
  double worst = 0.0;
  std::string worst_case;
};

/// Ratios predicted / vendor by case, in the order of the cases.
struct Ratios {
  std::vector<double> cycles;
  std::vector<double> ddr_bytes;
};
[[nodiscard]] Ratios ratios(const std::vector<KnownCase>& cases, const target::Soc& soc,
                            const perf::FittedMachine& machine);

/// Over the cases that `wanted` is true for.
[[nodiscard]] ErrorSummary summarize(const std::vector<KnownCase>& cases,
                                     const std::vector<double>& ratios,
                                     const std::function<bool(const Case&)>& wanted);

/// Element at `share` (0..1) of the sorted values, nearest rank. @pre not empty
[[nodiscard]] double quantile(std::vector<double> values, double share);

}  // namespace hexquant::networks
