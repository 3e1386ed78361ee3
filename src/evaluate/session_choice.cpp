#include "evaluate/session_choice.h"

#include <string>

#include "formats/onnx/onnx_io.h"
#include "target/node_unit.h"

namespace hexquant::evaluate {
namespace {

/// Type of the codes of a Q/DQ node: that of its zero point, of its constant codes, or its
/// output_dtype; uint8 when none is given.
DType code_type(const graph::Graph& graph, const graph::Node& node) {
  if (const Tensor* zero_point = graph.find_initializer(node.input(2))) return zero_point->dtype();
  if (const Tensor* codes = graph.find_initializer(node.input(0))) {
    if (node.op_type() == "DequantizeLinear") return codes->dtype();
  }
  const std::int64_t declared = node.int_attribute("output_dtype", 0);
  return declared == 0 ? DType::kUInt8 : static_cast<DType>(declared);
}

}  // namespace

runtime::SessionOptions session_options(const graph::Graph& graph) {
  runtime::SessionOptions options;
  for (const graph::Node& node : graph.nodes()) {
    if (!target::is_pair_part(node)) continue;
    const DType type = code_type(graph, node);
    const bool has_kernel = type == DType::kUInt8 || type == DType::kInt8 || type == DType::kInt32;
    const bool has_blocks = node.int_attribute("block_size", 0) > 0;
    if (!has_kernel || has_blocks) options.integer_kernels = false;
  }
  return options;
}

std::unique_ptr<runtime::InferenceSession> open_session(const Model& model) {
  if (model.open) return model.open();
  if (model.graph != nullptr) {
    return std::make_unique<runtime::Session>(*model.graph, session_options(*model.graph));
  }
  return std::make_unique<runtime::Session>(model.file,
                                            session_options(formats::read_onnx(model.file)));
}

}  // namespace hexquant::evaluate
