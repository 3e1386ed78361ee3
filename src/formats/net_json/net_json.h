#pragma once

#include <map>
#include <string>

#include "core/json.h"
#include "graph/graph.h"
#include "quant/quant_plan.h"

namespace hexquant::formats {

/// What a net.json says besides the graph.
struct NetJsonInfo {
  std::string command;    ///< converter_command
  std::string copyright;  ///< copyright_str
  /// Layout of inputs and outputs where it is known: "NHWC".
  std::map<std::string, std::string> layouts;
};

/// A graph and its encodings in the shape of the converter's `*_net.json`.
///
/// Tensors: id, type (0 input, 1 output, 3 intermediate, 4 constant), data_type and quant_params
/// with the numbers of QNN (1032 = 0x0408 = unsigned fixed point of 8 bits; real = (code + offset)
/// * scale), dims, params_count of constants. Nodes: names of inputs and outputs, attributes as
/// scalar_params and tensor_params, macs_per_inference. Operations stay those of ONNX, in package
/// "onnx": the vendor's lowering to its own operations is not repeated. Constants have no data.
/// Source: "QNN Model JSON Format" of the SDK's converter page.
[[nodiscard]] Json net_json(const graph::Graph& graph, const quant::EncodingTable& encodings,
                            const NetJsonInfo& info);

}  // namespace hexquant::formats
