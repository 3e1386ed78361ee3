#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "formats/encodings/encoding_file.h"
#include "graph/graph.h"
#include "hexquant/finding.h"
#include "target/target.h"

namespace hexquant::pipeline {

/// What became of a tensor that the file or the model has.
enum class TensorMatch {
  kMatched,  ///< in both
  kUnknown,  ///< only in the file
  kMissing,  ///< only in the model, and needed
  kShared,   ///< without entry: a data mover gives it the encoding of another tensor
  kFused,    ///< without entry: inside operations that run as one
  kFolded,   ///< without entry: a converter's folding removes it
  kConstant  ///< without entry: a constant whose own values give the range
};

/// "matched", "unknown", "missing", "shared", "fused", "folded" or "constant".
[[nodiscard]] const char* match_name(TensorMatch match) noexcept;

struct TensorLint {
  std::string name;
  TensorMatch match = TensorMatch::kMatched;
  std::vector<std::string> nearest;  ///< kUnknown: names of the model that may be meant
};

struct EncodingsLint {
  std::string version;
  std::vector<TensorLint> tensors;  ///< those of the file in its order, then those of the model
  Findings findings;                ///< errors first, then in the order of the checks

  [[nodiscard]] std::int64_t count(TensorMatch match) const noexcept;
  [[nodiscard]] bool has_errors() const noexcept;
};

/// Compares a file of encodings with the model it is for, before a converter ignores half of it.
///
/// Errors: unknown-tensor, repeated-entry, wrong-group, not-a-float-tensor, zero-outside-range,
/// range-disagrees, not-symmetric, channel-count, axis-outside-shape, wrong-axis, block-count,
/// unknown-width, weights-clipped, int16-range, mover-disagrees, float-integer-mix, htp-illegal
/// (format), missing-tensor where a neighbour has integers. Warnings: other missing tensors,
/// fixed-range, htp-illegal (the operation runs in float anyway), encoding-inside-chain.
/// Information: tensors without entry that need none.
///
/// @param check_htp  also ask the target's rules whether each node runs with its formats
/// @throws Error(kInvalidModel) when shapes are missing and cannot be inferred
[[nodiscard]] EncodingsLint lint_encodings(const formats::EncodingFile& file,
                                           const graph::Graph& graph, const target::Target& target,
                                           bool check_htp);

/// Members of docs/schema/encodings-lint.schema.json after the header.
[[nodiscard]] Json to_json(const EncodingsLint& lint);

}  // namespace hexquant::pipeline
