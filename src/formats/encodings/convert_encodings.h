#pragma once

#include <optional>
#include <string>

#include "formats/encodings/encoding_file.h"
#include "graph/graph.h"
#include "hexquant/finding.h"
#include "target/rules.h"

namespace hexquant::formats {

/// The model an encodings file belongs to; `rules` say on which axes its weights have channels.
struct ModelView {
  const graph::Graph& graph;
  const target::Rules& rules;
};

/// Shape of an initializer or of a value with fixed dimensions; nullopt when unknown.
[[nodiscard]] std::optional<Shape> known_shape(const graph::Graph& graph, const std::string& value);

/// Fills in what 0.6.1 and 1.0.0 leave out: the channel axis, or the block axis and the shape of
/// the blocks, whose numbers it puts into row-major order.
///
/// With a model the axis is that of the operation that reads the weight, or else the only axis as
/// long as the list; without one, channels lie on axis 0 and LPBQ blocks on axis 1 of a matrix
/// (finding "axis-assumed").
/// @return false, with a finding of severity error, when the blocks fit no axis
bool place_entry(EncodingEntry& entry, const ModelView* model, Findings& findings);

/// Turns the block numbers of a matrix, [rows, columns], into [columns, rows]. @pre columns divides
/// their number
void transpose_blocks(EncodingEntry& entry, std::int64_t columns);

/// The same encodings for another version. What it cannot express is left out, each with a finding
/// that names the tensor and what is lost; severity error when numbers are lost.
///
/// 2.0.0 has no groups: they come from the model, else are guessed (finding "groups-guessed").
/// The file's own version gives the file unchanged.
[[nodiscard]] EncodingFile convert_encodings(EncodingFile file, EncodingsVersion version,
                                             const ModelView* model, Findings& findings);

}  // namespace hexquant::formats
