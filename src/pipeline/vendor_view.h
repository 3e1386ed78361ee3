#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/json.h"
#include "core/json_cursor.h"
#include "graph/graph.h"
#include "hexquant/finding.h"
#include "hexquant/progress.h"
#include "hexquant/tensor.h"
#include "pipeline/htp_estimate.h"

namespace hexquant::pipeline {

/// What the vendor's compiler and simulator say of a quantized model, in short.
struct VendorView {
  std::optional<HtpEstimate::Time> time_us;  ///< estimate; none where the model was not compiled
  /// Nodes on the CPU or in float on the NPU; conversions at the model's borders are not counted.
  int nodes_elsewhere = 0;
  std::string failure;  ///< why it was not compiled; empty
};

/// Compiles a model for a chip and asks for the estimate.
/// @param shapes  of its inputs, as fix_dimensions takes them
/// @throws Error as compile_model
[[nodiscard]] VendorView ask_vendor(const graph::Graph& model, const std::string& soc,
                                    const std::map<std::string, Shape>& shapes,
                                    ProgressSink& progress);

/// Why no estimate can be had for a chip; empty when one can.
/// @throws Error(kMissingComponent) without the vendor's package; Error(kInvalidArgument) for an
/// unknown chip
[[nodiscard]] Findings check_estimates(const std::string& soc);

[[nodiscard]] Json to_json(const VendorView& view);
/// Reads what to_json wrote. @throws Error(kInvalidData) naming the file and key
[[nodiscard]] VendorView vendor_view_from_json(const JsonCursor& json);

}  // namespace hexquant::pipeline
