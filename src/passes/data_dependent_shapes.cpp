#include "passes/data_dependent_shapes.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

namespace hexquant::passes {
namespace {

using graph::Node;
using Names = std::unordered_set<std::string>;

/// Inputs that decide the output's shape by their numbers; all ops that have such inputs.
const std::map<std::string, std::vector<std::size_t>>& shape_operands() {
  static const std::map<std::string, std::vector<std::size_t>> kOperands = {
      {"BlackmanWindow", {0}},
      {"CenterCropPad", {1}},
      {"Col2Im", {1, 2}},
      {"ConstantOfShape", {0}},
      {"DFT", {1, 2}},
      {"Expand", {1}},
      {"HammingWindow", {0}},
      {"HannWindow", {0}},
      {"MaxUnpool", {2}},
      {"MelWeightMatrix", {0, 1}},
      {"OneHot", {1}},
      {"Pad", {1, 3}},
      {"Range", {0, 1, 2}},
      {"ReduceL1", {1}},
      {"ReduceL2", {1}},
      {"ReduceLogSum", {1}},
      {"ReduceLogSumExp", {1}},
      {"ReduceMax", {1}},
      {"ReduceMean", {1}},
      {"ReduceMin", {1}},
      {"ReduceProd", {1}},
      {"ReduceSum", {1}},
      {"ReduceSumSquare", {1}},
      {"Reshape", {1}},
      {"Resize", {1, 2, 3}},
      {"STFT", {1, 3}},
      {"SequenceAt", {1}},
      {"Slice", {1, 2, 3, 4}},
      {"Split", {1}},
      {"SplitToSequence", {1}},
      {"Squeeze", {1}},
      {"Tile", {1}},
      {"TopK", {1}},
      {"Unsqueeze", {1}},
      {"Upsample", {1}},
      {"AffineGrid", {1}}};
  return kOperands;
}

bool is_data_shaped_op(const Node& node) {
  static const std::set<std::string> kOps = {"Compress", "ImageDecoder", "NonMaxSuppression",
                                             "NonZero",  "StringSplit",  "Unique"};
  return node.domain().empty() && kOps.contains(node.op_type());
}

bool reads_any(const Node& node, const Names& names) {
  return std::any_of(node.inputs().begin(), node.inputs().end(),
                     [&](const std::string& input) { return names.contains(input); });
}

bool has_data_operand(const Node& node, const Names& data) {
  if (!node.domain().empty()) return false;
  const auto found = shape_operands().find(node.op_type());
  if (found == shape_operands().end()) return false;
  return std::any_of(found->second.begin(), found->second.end(), [&](std::size_t index) {
    return !node.input(index).empty() && data.contains(node.input(index));
  });
}

}  // namespace

Names data_dependent_shapes(const graph::Graph& graph) {
  Names data(graph.inputs().begin(), graph.inputs().end());
  Names shapes;
  for (const Node& node : graph.nodes()) {
    const bool unknown_domain = !node.domain().empty() && node.domain() != "com.microsoft";
    const bool opaque = unknown_domain || (node.has_subgraph() && !node.is("Constant"));
    const bool reads_data = opaque || reads_any(node, data);
    const bool is_shape_data = reads_any(node, shapes) || opaque ||
                               (is_data_shaped_op(node) && reads_data) ||
                               has_data_operand(node, data);
    const bool measures_shape = node.is("Shape") || node.is("Size");
    const bool is_data = measures_shape ? shapes.contains(node.input(0)) : reads_data;
    for (const std::string& output : node.outputs()) {
      if (is_data) data.insert(output);
      if (is_shape_data && !measures_shape) shapes.insert(output);
    }
  }
  return shapes;
}

}  // namespace hexquant::passes
