#pragma once

#include <string>

#include "target/node_unit.h"
#include "target/rules.h"

namespace hexquant::target {

/// What ONNX Runtime's QNN provider and the vendor's compiler make of a unit.
enum class Verdict {
  kInteger,  ///< one QNN operation on quantized tensors
  kFloat,    ///< its Q/DQ nodes stand alone and the operation runs on float tensors
  kRefused   ///< left to the CPU; where the layout was changed before, the whole model is refused
};

struct Acceptance {
  Verdict verdict = Verdict::kInteger;
  std::string reason;  ///< the rule that was broken; empty for kInteger
  std::string fix;     ///< the change that mends it
  /// The vendor's compiler gives up on the whole model, not only on this operation.
  bool rejects_model = false;
  /// The operation and its Q/DQ nodes, with a Relu or Clip between, are one for the provider.
  bool joined = true;
};

/// The verdict on an operation. Right numbers are another question: legality() answers it.
///
/// Two steps, as in ONNX Runtime: first the provider joins an operation with its Q/DQ nodes if the
/// types fit its patterns, and runs it in float otherwise; then the vendor's library validates the
/// joined operation and refuses what its tables do not list.
[[nodiscard]] Acceptance acceptance(const Rules& rules, const graph::Graph& model,
                                    const NodeUnit& unit, const OpRule& rule);

}  // namespace hexquant::target
