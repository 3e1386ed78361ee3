#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "data/dataset.h"
#include "evaluate/difference.h"
#include "evaluate/evaluate_models.h"
#include "hexquant/recipe.h"
#include "pipeline/quantize_pipeline.h"
#include "report/report.h"
#include "target/target.h"

namespace hexquant::pipeline {

/// How good the quantized model is.
struct Verification {
  evaluate::EvaluationResult scores;
  /// Encoded tensors of the quantized model against the float model, by tensor name.
  std::map<std::string, evaluate::Difference> tensors;
};

/// Differences of all encoded activations over the first few samples of `data`.
[[nodiscard]] std::map<std::string, evaluate::Difference> compare_encoded_tensors(
    const QuantizedModel& model, const data::Dataset& data, int threads);

/// Gathers everything the report shows. @param folder  where the result files lie (for their sizes)
[[nodiscard]] report::QuantizeReport make_report(const Recipe& recipe, const target::Target& target,
                                                 const QuantizedModel& model,
                                                 const Verification& verification,
                                                 const std::filesystem::path& folder);

}  // namespace hexquant::pipeline
