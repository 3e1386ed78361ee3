#pragma once

#include <string>
#include <vector>

#include "perf/latency_constants.h"
#include "perf/prediction.h"

namespace hexquant::perf {

/// The machine of a fitted architecture and how well it is known.
struct FittedMachine {
  std::string htp_arch;  ///< "v73"
  std::string soc;       ///< chip whose vendor estimates it was fitted to
  double clock_mhz = 0.0;
  LatencyConstants constants;
  ModelError error;
  /// vendor / predicted: 90 % of the cases that were kept out of the fit lie between.
  double lower_ratio = 1.0;
  double upper_ratio = 1.0;
};

/// Machines of a latency.json text. @throws Error(kInvalidData) naming `origin`
[[nodiscard]] std::vector<FittedMachine> parse_latency_data(const std::string& text,
                                                            const std::string& origin);
/// Those of data/targets/latency.json, read once.
[[nodiscard]] const std::vector<FittedMachine>& fitted_machines();

/// The machine of the nearest architecture by number ("v75" -> "v73"); the older of two.
/// @pre machines is not empty
[[nodiscard]] const FittedMachine& nearest_machine(const std::vector<FittedMachine>& machines,
                                                   const std::string& htp_arch);

/// predict() with given constants: for the fit.
[[nodiscard]] Prediction predict_with(const Workload& workload, const target::Soc& soc,
                                      const PredictOptions& options, const FittedMachine& machine);

}  // namespace hexquant::perf
