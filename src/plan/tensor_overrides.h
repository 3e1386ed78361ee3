#pragma once

#include <map>
#include <optional>
#include <string>

#include "formats/encodings/convert_encodings.h"
#include "formats/overrides/overrides.h"
#include "graph/graph.h"
#include "hexquant/encoding.h"
#include "hexquant/finding.h"
#include "quant/quant_plan.h"

namespace hexquant::plan {

/// What is wanted of one tensor.
struct TensorOverride {
  bool is_float = false;          ///< the tensor stays float
  int bits = 8;                   ///< width of the codes
  std::optional<bool> symmetric;  ///< absent: as the rules of the target have it
  /// Numbers that are used as they are, on the file's own grid; absent: calibrate at this width.
  std::optional<Encoding> encoding;
};

/// The user's overrides, tensor by tensor: patterns matched against the names of a graph.
///
/// A full name wins over patterns, a later pattern over an earlier one. A pattern means constants
/// or activations only, as the list says in which it stands.
class TensorOverrides {
 public:
  TensorOverrides() = default;

  /// @param original  the model before it was prepared, or null; names that only it has are no
  ///                  error: what they stood for was folded or fused
  /// @param findings  gains the number of tensors that each pattern matched, full names together;
  ///                  "override-removed"; "override-section" (a constant listed with the
  ///                  activations or the reverse; it is applied all the same)
  /// @throws Error(kInvalidArgument) naming the patterns that match nothing, unless
  ///         overrides.allow_unmatched, and numbers that do not fit their tensor
  TensorOverrides(const formats::Overrides& overrides, const formats::ModelView& model,
                  const graph::Graph* original, Findings& findings);

  /// The override of a tensor, or nullptr.
  [[nodiscard]] const TensorOverride* find(const std::string& tensor) const;
  [[nodiscard]] bool empty() const noexcept { return by_tensor_.empty(); }

  /// "override-without-effect" and "override-changed" for what the plan does not follow.
  void report_effects(quant::QuantPlan& plan) const;

 private:
  std::map<std::string, TensorOverride> by_tensor_;
};

}  // namespace hexquant::plan
