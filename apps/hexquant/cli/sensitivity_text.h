#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "mixed_precision/sensitivity_table.h"
#include "pipeline/sensitivity.h"
#include "pipeline/weight_noise.h"

namespace hexquant::cli {

/// Layers, then blocks, the worst first, with bars.
[[nodiscard]] std::string sensitivity_text(const mixed_precision::SensitivityTable& table);

/// One line: what the run cost in passes of the float model.
[[nodiscard]] std::string sensitivity_cost_text(const pipeline::SensitivityResult& result);

[[nodiscard]] std::string weight_noise_text(const std::vector<pipeline::WeightNoise>& rows,
                                            int bits, double below_db);
[[nodiscard]] Json weight_noise_json(const std::vector<pipeline::WeightNoise>& rows,
                                     double below_db);

}  // namespace hexquant::cli
