#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "graph/graph.h"
#include "hexquant/finding.h"
#include "hexquant/progress.h"
#include "hexquant/recipe.h"
#include "pipeline/border_changes.h"
#include "pipeline/optimize_cost.h"

namespace hexquant::pipeline {

/// What `hexquant optimize` does, as data.
struct OptimizeRequest {
  std::string model;  ///< ONNX, float or with Q/DQ
  DataRecipe data;    ///< what the model is checked on; without sources, seeded random numbers
  std::map<std::string, Shape> input_shapes;
  std::string soc = "SM8650";
  /// Rewrites that happen on request only.
  bool nhwc_input = false;
  bool nhwc_output = false;
  bool uint8_input = false;
  bool quantized_io = false;
  bool prelu_to_relu = false;
  bool space_to_depth = false;
  bool pad_channels = false;
  bool exact_border = false;      ///< no approximation where windows meet padding
  std::vector<std::string> only;  ///< names of rewrites; empty = all
  std::vector<std::string> skip;
  bool estimate = false;  ///< ask the vendor's simulation for every form
  std::uint64_t seed = 0;
};

/// A rewrite, where it applied and what it is worth.
struct RewriteResult {
  std::string name;
  std::vector<std::string> places;  ///< nodes or values
  /// Microseconds that the model takes less; negative = more. Absent = not known.
  std::optional<double> predicted_gain_us;
  std::optional<double> vendor_gain_us;
  ModelCost before;  ///< when it first applied
  ModelCost after;   ///< when it last had
};

/// The optimized model against the original, on the same samples.
struct OptimizeCheck {
  bool on_data = false;      ///< false: seeded random numbers
  std::int64_t samples = 0;  ///< items of the data set
  double max_abs = 0.0;      ///< largest difference of an output element
  double sqnr_db = std::numeric_limits<double>::infinity();
  /// Share of rows with the same largest element; NaN where no output has classes.
  double agreement = std::numeric_limits<double>::quiet_NaN();
  /// Demanded: see optimize_tolerance in optimize_check.h; absent = the function was changed on
  /// request.
  std::optional<double> min_sqnr_db;
  std::optional<double> enough_max_abs;  ///< a difference up to this is enough instead
  std::optional<double> min_agreement;

  [[nodiscard]] bool passed() const;
};

struct OptimizeResult {
  graph::Graph graph;
  bool is_quantized = false;
  std::vector<RewriteResult> rewrites;  ///< those that applied, in order
  ModelCost before;                     ///< as it stands
  ModelCost prepared;                   ///< after the passes that `quantize` runs by itself
  ModelCost after;
  std::vector<std::string> fused;  ///< values inside operations that the NPU runs as one
  BorderChanges borders;
  /// Preprocessing JSON for the optimized model, where it changed.
  std::optional<std::string> preprocess;
  OptimizeCheck check;
  Findings findings;
};

/// Names of all rewrites, in the order in which they run.
[[nodiscard]] const std::vector<std::string>& rewrite_names();

/// Rewrites a model for the HTP without changing what it computes, and checks that on data.
/// @throws Error(kInvalidArgument) for options that do not fit each other or the model;
///         Error(kInvalidData), Error(kInvalidModel), Error(kIo); Error(kMissingComponent) for an
///         estimate without the vendor's package
[[nodiscard]] OptimizeResult optimize(const OptimizeRequest& request, int threads,
                                      ProgressSink& progress);

/// Writes the model, and `<stem>.preprocess.json` beside it when the preprocessing changed.
/// @return the files. @throws Error(kIo)
[[nodiscard]] std::vector<std::filesystem::path> write_optimized(
    const OptimizeResult& result, const std::filesystem::path& model);

/// As in docs/schema/optimize.schema.json, without the header and the files.
[[nodiscard]] Json to_json(const OptimizeResult& result);

}  // namespace hexquant::pipeline
