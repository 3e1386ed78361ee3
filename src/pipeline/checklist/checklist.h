#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "graph/graph.h"
#include "hexquant/progress.h"
#include "hexquant/recipe.h"
#include "pipeline/analyze_model.h"
#include "pipeline/checklist/check_thresholds.h"

namespace hexquant::pipeline {

enum class CheckStatus : std::uint8_t { kPass, kFail, kNotMeasured };

/// "pass", "fail", "not measured"
[[nodiscard]] const char* check_status_name(CheckStatus status) noexcept;

/// One line of the article's checklist.
struct CheckItem {
  std::string id;  ///< "accuracy.cosine"
  std::string
      group;  ///< "calibration data", "quantization", "accuracy", "performance", "deployment"
  std::string title;
  CheckStatus status = CheckStatus::kNotMeasured;
  std::string figure;     ///< what was found; empty when nothing was
  std::string threshold;  ///< what is demanded
  std::string reason;     ///< why it failed or was not measured, or what the figure does not say
  std::string fix;        ///< command that would mend or measure it; empty when it passed
};

/// What `hexquant check` does, as data.
struct CheckRequest {
  std::string folder;                 ///< OUT of `hexquant quantize`
  std::vector<std::string> profiles;  ///< of the model on a device, any format of `profile`
  std::string thresholds;             ///< JSON file; empty = the article's
  std::string labels;                 ///< classes of the calibration samples, as for `quantize`
  std::string tags;                   ///< JSON: {"night": [3, 17], ...}: samples by index
  std::string device = "cpu";         ///< where the stability runs take place: cpu | htp
  std::string runs;  ///< net-run's JSON result, in the place of such runs; empty = none
  std::string soc;   ///< empty = that of the recipe
  std::optional<double> device_memory_mb;
  bool run = true;           ///< make the stability runs
  bool read_samples = true;  ///< read the calibrated and the scored samples again
  int threads = 1;
  std::uint64_t seed = 0;
};

struct CheckResult {
  std::string folder;
  CheckThresholds thresholds;
  std::vector<CheckItem> items;

  [[nodiscard]] std::int64_t count(CheckStatus status) const noexcept;
};

/// Goes through the article's checklist for what `quantize` wrote. Reads report.json, recipe.json,
/// model.onnx and the data that the recipe names; runs the model for the last part.
/// @throws Error(kInvalidArgument) when the folder holds no report.json and model.onnx,
///         Error(kInvalidData) for files that are not what they should be; Error(kCancelled)
[[nodiscard]] CheckResult check_output(const CheckRequest& request, ProgressSink& progress);

/// The lines that need neither the samples nor a run, for a model that was just quantized; the
/// others are not measured, and their fix is `hexquant check`.
/// @param report    report.json
/// @param recipe    its output names the folder
/// @param model     the quantized model
/// @param analysis  of that model on the recipe's chip
[[nodiscard]] CheckResult check_at_hand(const Json& report, const Recipe& recipe,
                                        const graph::Graph& model, const Analysis& analysis,
                                        ProgressSink& progress);

/// As in docs/schema/check.schema.json, without the header.
[[nodiscard]] Json to_json(const CheckResult& result);

/// JUnit's XML: a test case for each item, failures as failures, what was not measured as skipped.
[[nodiscard]] std::string to_junit(const CheckResult& result);

}  // namespace hexquant::pipeline
