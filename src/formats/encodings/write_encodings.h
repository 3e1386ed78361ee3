#pragma once

#include "core/json.h"
#include "graph/graph.h"
#include "quant/quant_plan.h"

namespace hexquant::formats {

/// Encodings as an AIMET 1.0.0 file: `activation_encodings` and `param_encodings` (initializers of
/// `graph`), lists of entries with `name`, `enc_type`, `bw`, `dtype`, `is_sym`, `scale`, `offset`.
///
/// The offset is that of the unsigned grid: min = offset * scale, so uint8 zero point z gives -z
/// and symmetric int8 gives -128. Groups (PER_BLOCK) are listed channel by channel, whichever axis
/// the channels lie on; two-level scales as LPBQ: `bw` 8, `compressed_bw` 4, `scale` and `offset`
/// of each channel's 8-bit grid, `per_block_int_scale`. Biases (int32) have no entry: the
/// converters derive them. Source: files exported by aimet-onnx 2.x.
[[nodiscard]] Json encodings_1_0_0(const graph::Graph& graph,
                                   const quant::EncodingTable& encodings);

/// The same numbers as a QNN `--quantization_overrides` file: name -> list of entries with
/// `bitwidth`, `min`, `max`, `scale`, `offset`, `is_symmetric` ("True"/"False"), `dtype`.
/// Group encodings cannot be expressed in it and are left out (the pipeline says so in a finding).
[[nodiscard]] Json quantization_overrides(const graph::Graph& graph,
                                          const quant::EncodingTable& encodings);

}  // namespace hexquant::formats
