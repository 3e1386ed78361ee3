#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "formats/encodings/encoding_file.h"
#include "graph/graph.h"
#include "hexquant/finding.h"
#include "quant/quant_plan.h"

namespace hexquant::formats {

/// Encodings as an AIMET file of `version`, made by this program (`producer`).
///
/// The offset of 0.6.1 and 1.0.0 is that of the unsigned grid: min = offset * scale, so uint8 zero
/// point z gives -z and symmetric int8 gives -128. Groups (PER_BLOCK) of a matrix are listed
/// channel by channel in 1.0.0, whichever axis the channels lie on; two-level scales as LPBQ: `bw`
/// 8, `compressed_bw` 4, `scale` and `offset` of each channel's 8-bit grid, `per_block_int_scale`.
/// Biases (int32) have entries in 2.0.0 only: the converters derive them. What the version cannot
/// express is left out with a finding. Source: files exported by aimet-onnx 2.42.
[[nodiscard]] Json encodings_json(const graph::Graph& graph, const quant::EncodingTable& encodings,
                                  EncodingsVersion version, Findings& findings);

/// The same numbers as a QNN `--quantization_overrides` file: name -> list of entries with
/// `bitwidth`, `min`, `max`, `scale`, `offset`, `is_symmetric` ("True"/"False"), `dtype`.
/// Group encodings cannot be expressed in it and are left out (the pipeline says so in a finding).
/// @param float_tensors  outputs and constants of operations that stay float: {"bitwidth": 16,
///                       "dtype": "float"}, also where integer operations read them quantized
[[nodiscard]] Json quantization_overrides(const graph::Graph& graph,
                                          const quant::EncodingTable& encodings,
                                          const std::vector<std::string>& float_tensors);

}  // namespace hexquant::formats
