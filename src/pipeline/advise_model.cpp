#include "pipeline/advise_model.h"

#include <filesystem>
#include <system_error>

#include "core/format.h"
#include "core/shell_word.h"

namespace hexquant::pipeline {
namespace {

using perf::Remedy;

/// `verb` on the float model behind the advised one: from its recipe where that is known.
std::string from_float(const char* verb, const AdvisedModel& model, const char* options) {
  if (!model.recipe.empty()) {
    return format("{} --recipe {} {} -o OTHER", verb, shell_word(model.recipe), options);
  }
  const std::string file = model.is_quantized ? "FLOAT.onnx" : shell_word(model.file);
  return format("{} {} --data DATA {} -o OTHER", verb, file, options);
}

std::string command_of(Remedy remedy, const Analysis& analysis, const AdvisedModel& model) {
  const std::string file = shell_word(model.file);
  switch (remedy) {
    case Remedy::kOptimize:
      return format("optimize {} -o FILE.onnx", file);
    case Remedy::kConvertedBorders:
      // Codes as inputs and outputs exist only where there are codes, the pixels' levels only
      // before that.
      return format("optimize {} --nhwc-input {} -o FILE.onnx", file,
                    model.is_quantized ? "--quantized-io" : "--uint8-input");
    case Remedy::kPlacement:
      return format("compile {} --soc {} --dry-run", file, analysis.soc.name);
    case Remedy::kLargerVtcm:
      return format("compile {} --soc {} --vtcm-mb {} -o FILE.bin", file, analysis.soc.name,
                    analysis.soc.vtcm_max_mb.value.value_or(0.0));
    case Remedy::kNarrowWeights:
      return from_float("quantize", model, "--weight-bits 4 --algorithms adaptive-rounding");
    case Remedy::kMixedPrecision:
      break;
  }
  return from_float("mixed-precision", model, "--max-loss 1");
}

}  // namespace

AdvisedModel advised_model(const std::string& file, bool is_quantized) {
  AdvisedModel model = {file, "", is_quantized};
  if (!is_quantized) return model;
  const std::filesystem::path recipe = std::filesystem::path(file).replace_filename("recipe.json");
  std::error_code ignored;
  if (std::filesystem::is_regular_file(recipe, ignored)) model.recipe = recipe.string();
  return model;
}

std::vector<perf::Advice> advise_model(const Analysis& analysis,
                                       const perf::PredictOptions& options,
                                       const AdvisedModel& model) {
  std::vector<perf::Advice> advice = perf::advise(analysis.workload, analysis.soc, options);
  for (perf::Advice& entry : advice) entry.command = command_of(entry.remedy, analysis, model);
  return advice;
}

}  // namespace hexquant::pipeline
