#pragma once

#include <optional>
#include <vector>

#include "formats/qnn/framework_trace.h"
#include "graph/graph.h"
#include "profiling/profile_table.h"
#include "profiling/schematic.h"

namespace hexquant::profiling {

/// What tells which ONNX node an operation stands for; each part may be missing.
struct NameFiles {
  std::vector<Schematic> schematics = {};                 ///< OpId -> QNN operation
  std::optional<formats::FrameworkTrace> framework = {};  ///< QNN operation -> ONNX nodes
  const graph::Graph* model = nullptr;                    ///< nodes and their types
  const ProfileTable* operations = nullptr;  ///< a CSV of the same run: OpId -> operation, nodes
};

/// Fills `name` of rows known by OpId only, `onnx_nodes`, `node` and `op` of a table's rows.
///
/// A row stands for the first of its ONNX nodes that the model has and that is no conversion
/// (QuantizeLinear, DequantizeLinear); without a model for the one with the row's own name. Names
/// are compared as they stand, then without what ONNX Runtime appends, then with every character
/// but letters and digits as '_' and none at the ends (the names of qnn-onnx-converter). A name
/// that means two nodes means none.
void name_rows(ProfileTable& table, const NameFiles& files);

}  // namespace hexquant::profiling
