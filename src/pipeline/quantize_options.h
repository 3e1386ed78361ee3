#pragma once

#include <optional>

#include "calibrate/observer.h"
#include "data/dataset.h"
#include "hexquant/recipe.h"
#include "pipeline/round_weights.h"
#include "plan/narrow_codes.h"
#include "plan/plan.h"
#include "weights/quantize_weights.h"

namespace hexquant::pipeline {

/// A recipe in the terms of the stages: every name checked, overrides and configuration read,
/// neither model nor data opened yet.
struct QuantizeOptions {
  data::DataOptions data;
  plan::PlanOptions plan;
  plan::NarrowCodes narrow;  ///< research, with training only
  calibrate::ObserverOptions observer;
  weights::WeightOptions weights;
  bool matmul_nbits = false;             ///< group-quantized MatMul and Gemm become MatMulNBits
  std::optional<DataRounding> rounding;  ///< weight methods that need data
  bool equalize = false;                 ///< cross-layer equalization (cle)
};

/// @throws Error(kInvalidArgument) naming the option, the bad value and the allowed ones;
///         Error(kIo), Error(kInvalidData) for the files of overrides and configuration
[[nodiscard]] QuantizeOptions resolve_recipe(const Recipe& recipe, int threads);

[[nodiscard]] data::DataOptions resolve_data(const DataRecipe& data, std::uint64_t seed);

}  // namespace hexquant::pipeline
