#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "data/dataset.h"
#include "hexquant/progress.h"
#include "hexquant/recipe.h"
#include "pipeline/quantize_options.h"
#include "pipeline/quantize_pipeline.h"
#include "target/target.h"

namespace hexquant::pipeline {

/// One calibrated model and the forms that its tensors take at several widths, all from one pass
/// over the data: what quantize would use at each width.
struct WidthForms {
  QuantizedModel model;  ///< prepared, planned as the recipe says, calibrated; nothing rounded yet
  std::unique_ptr<data::Dataset> data;              ///< calibration data
  std::map<int, graph::Graph> weights;              ///< width -> prepared, with weights on the grid
  std::map<int, std::set<std::string>> weights_at;  ///< width -> those that really have it
  std::map<int, quant::EncodingTable> weight_encodings;  ///< width -> encodings of those graphs
  std::map<int, std::map<std::string, Encoding>> activations;  ///< width -> encodings by value
};

/// Weights of 16 bits are planned with 16-bit activations, as the HTP wants them. Weight methods
/// that use data see the inputs of the float model (one-pass).
/// @param weight_bits,act_bits  4, 8 or 16 each
/// Statistics cover every value that any mixture of these widths may need.
[[nodiscard]] WidthForms make_width_forms(const Recipe& recipe, QuantizeOptions options,
                                          const target::Target& target,
                                          const std::set<int>& weight_bits,
                                          const std::set<int>& act_bits, int threads,
                                          ProgressSink& progress);

}  // namespace hexquant::pipeline
