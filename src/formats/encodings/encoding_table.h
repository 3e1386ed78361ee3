#pragma once

#include <optional>
#include <string>

#include "formats/encodings/convert_encodings.h"
#include "formats/encodings/encoding_file.h"
#include "graph/graph.h"
#include "hexquant/encoding.h"
#include "hexquant/finding.h"
#include "quant/quant_plan.h"

namespace hexquant::formats {

/// ONNX type of an integer entry's codes; nullopt for float entries and widths ONNX has no type
/// for.
[[nodiscard]] std::optional<DType> code_type(const EncodingEntry& entry);

/// An entry as quantization parameters, in ONNX words.
///
/// Signed symmetric entries get a signed type (strict where the offset is -2^(bits-1) + 1), all
/// others an unsigned one unless 2.0.0 says intN. Blocks given once a channel are repeated for the
/// other axes, as ONNX wants them.
/// @param shape  of the tensor; used for blocks and negative axes
/// @pre the entry has integer numbers and is placed (see place_entry)
/// @throws Error(kInvalidData) naming the tensor: a width other than 4, 8, 16, 32, an offset that
///         is not whole, blocks that do not fit the shape
[[nodiscard]] Encoding to_encoding(const EncodingEntry& entry, const Shape& shape);

/// The numbers of a file for those of its tensors that the model has. Float entries and widths
/// without numbers are left out, and so, with a finding, is what cannot be placed.
/// @throws Error(kInvalidData) as to_encoding
[[nodiscard]] quant::EncodingTable encoding_table(const EncodingFile& file, const ModelView& model,
                                                  Findings& findings);

/// The tensors of a table as a file of `version`; initializers of `graph` are parameters.
///
/// 2.0.0 lists int32 biases; in 0.6.1 and 1.0.0 they have no entry, as the converters derive them.
/// Groups (PER_BLOCK, LPBQ) are left out of 0.6.1 with a finding. Edge encodings have no name and
/// no entry.
[[nodiscard]] EncodingFile encoding_file(const graph::Graph& graph,
                                         const quant::EncodingTable& encodings,
                                         EncodingsVersion version, Findings& findings);

}  // namespace hexquant::formats
