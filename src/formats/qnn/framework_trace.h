#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace hexquant::formats {

/// A QNN operation and the ONNX nodes that it was made from.
struct TracedOp {
  std::string name;  ///< of the QNN operation
  std::string type;  ///< QNN operation type: "Conv2d", "Convert", ...
  std::vector<std::string> source_nodes;
  std::vector<std::string> source_values;
};

/// One graph handed to the vendor's compiler: a connected part of the model.
struct TracedGraph {
  std::string name;
  std::vector<TracedOp> ops;
};

/// A node that the provider left to the CPU.
struct UnsupportedNode {
  std::string name;
  std::string op_type;
  std::string reason;  ///< the provider's words
};

/// What the QNN execution provider did with each node (qnn_op_trace.json, schema_version 2). Node
/// names are those of ONNX Runtime's optimized graph: see onnx_node_name.
struct FrameworkTrace {
  std::vector<TracedGraph> graphs;
  std::vector<UnsupportedNode> unsupported;
};

/// @throws Error(kInvalidData) "ORIGIN: KEY PATH: ..." on another schema version, missing keys and
/// values of another type. Unknown keys are ignored: the vendor adds some with each release.
[[nodiscard]] FrameworkTrace parse_framework_trace(const std::string& text,
                                                   const std::string& origin);
/// @throws Error(kIo) and as above
[[nodiscard]] FrameworkTrace read_framework_trace(const std::filesystem::path& path);

/// Name in the ONNX file of a node that ONNX Runtime renamed: the marks it appends when it changes
/// layouts ("_token_12"), copies a node ("/duplicated") or joins MatMul and Add
/// ("/MatMulAddFusion") are cut off.
[[nodiscard]] std::string onnx_node_name(const std::string& traced_name);

/// True when ONNX Runtime changed the node's layout to channels last, or added it while doing so.
[[nodiscard]] bool is_layout_node(const std::string& traced_name);

}  // namespace hexquant::formats
