#pragma once

#include <optional>
#include <string>

#include "hexquant/finding.h"
#include "hexquant/recipe.h"
#include "pipeline/convert_options.h"
#include "quant/quantsim_config.h"

namespace hexquant::pipeline {

/// Options of a conversion that the vendor's converter does not have.
struct ConvertExtras {
  std::string soc = "SM8650";
  bool allow_unmatched_overrides = false;
};

/// What a command line asks of the pipeline. Defaults are the converter's: 8-bit biases, one scale
/// for the weights of a layer, asymmetric grids, min-max ranges, all samples of the list.
struct ConvertRecipe {
  Recipe recipe;          ///< without output folder
  bool quantize = false;  ///< --input_list was given
  /// The chip's rules with what a recipe cannot say: symmetric activations, scales for channels in
  /// some operations only, a quantized value before Relu. nullopt when the rules hold unchanged.
  std::optional<quant::QuantsimConfig> config;
  Findings findings;
};

/// @throws Error(kUnsupported) for 2-bit weights; Error(kInvalidArgument) for an unknown chip
[[nodiscard]] ConvertRecipe convert_recipe(const ConvertArguments& arguments,
                                           const ConvertExtras& extras);

}  // namespace hexquant::pipeline
