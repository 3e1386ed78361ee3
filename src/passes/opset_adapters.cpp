#include "passes/opset_adapters.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "core/format.h"
#include "passes/graph_match.h"
#include "passes/graph_rewire.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;

/// A list of integers becomes an input; absent stays absent.
void ints_to_input(Graph& graph, const Node& node, const std::string& name, std::size_t index) {
  if (node.find_attribute(name) == nullptr) return;
  const auto values = node.ints_attribute(name, {});
  graph.erase_attribute(node, name);
  const Shape shape = {static_cast<std::int64_t>(values.size())};
  graph.set_input(node, index, add_constant(graph, node, name, Tensor::from(shape, values)));
}

/// Reduce*: axes. Without axes, or with none in the list, everything is reduced.
std::string reduce_axes(Graph& graph, const Node& node) {
  if (node.ints_attribute("axes", {}).empty()) {
    graph.erase_attribute(node, "axes");
  } else {
    ints_to_input(graph, node, "axes", 1);
  }
  return "";
}

/// Squeeze, Unsqueeze: axes.
std::string squeeze_axes(Graph& graph, const Node& node) {
  if (node.find_attribute("axes") != nullptr && node.ints_attribute("axes", {}).empty()) {
    return "its list of axes is empty";
  }
  ints_to_input(graph, node, "axes", 1);
  return "";
}

std::string split_sizes(Graph& graph, const Node& node) {
  ints_to_input(graph, node, "split", 1);
  return "";
}

/// Equal parts are asked for by their number since 18.
std::string split_count(Graph& graph, const Node& node) {
  if (node.input(1).empty()) {
    graph.set_attribute(node, "num_outputs", static_cast<std::int64_t>(node.outputs().size()));
  }
  return "";
}

std::string slice_inputs(Graph& graph, const Node& node) {
  ints_to_input(graph, node, "starts", 1);
  ints_to_input(graph, node, "ends", 2);
  ints_to_input(graph, node, "axes", 3);
  return "";
}

std::string top_k(Graph& graph, const Node& node) {
  const std::vector<std::int64_t> k = {node.int_attribute("k", 0)};
  graph.erase_attribute(node, "k");
  graph.set_input(node, 1, add_constant(graph, node, "k", Tensor::from({1}, k)));
  return "";
}

/// A float attribute as a scalar of the tensor's own type.
std::optional<Tensor> scalar_like(const Graph& graph, const std::string& value, float number) {
  switch (known_dtype(graph, value)) {
    case DType::kFloat32:
      return Tensor::scalar(number);
    case DType::kFloat64:
      return Tensor::scalar(static_cast<double>(number));
    default:
      return std::nullopt;
  }
}

/// Moves a float attribute to input `index`. @return why not
std::string float_to_input(Graph& graph, const Node& node, const std::string& name,
                           std::size_t index) {
  if (node.find_attribute(name) == nullptr) return "";
  auto tensor = scalar_like(graph, node.input(0), node.float_attribute(name, 0.0F));
  if (!tensor)
    return format("its element type is {}", dtype_name(known_dtype(graph, node.input(0))));
  graph.erase_attribute(node, name);
  graph.set_input(node, index, add_constant(graph, node, name, *std::move(tensor)));
  return "";
}

std::string clip_bounds(Graph& graph, const Node& node) {
  const std::string failure = float_to_input(graph, node, "min", 1);
  return failure.empty() ? float_to_input(graph, node, "max", 2) : failure;
}

std::string pad_inputs(Graph& graph, const Node& node) {
  ints_to_input(graph, node, "pads", 1);
  if (node.float_attribute("value", 0.0F) == 0.0F) graph.erase_attribute(node, "value");
  return float_to_input(graph, node, "value", 2);
}

/// Before 9, spatial = 0 meant statistics of every position.
std::string batch_norm_spatial(Graph& graph, const Node& node) {
  if (node.int_attribute("spatial", 1) != 1) return "spatial = 0 has no successor";
  graph.erase_attribute(node, "spatial");
  return "";
}

/// Before 14, more than one output meant training; ONNX Runtime then normalizes by the batch.
std::string batch_norm_outputs(Graph&, const Node& node) {
  return node.outputs().size() > 1 ? "it is in training form" : "";
}

/// The mask had the type of the data before 10 and is Boolean since.
std::string dropout_mask(Graph& graph, const Node& node) {
  return is_needed(graph, node.output(1)) ? "its mask is in use" : "";
}

/// The ratio is an input since 12, and of no meaning in inference.
std::string dropout_ratio(Graph& graph, const Node& node) {
  graph.erase_attribute(node, "ratio");
  return "";
}

std::string scatter_elements(Graph& graph, const Node& node) {
  graph.set_op_type(node, "ScatterElements");
  return "";
}

/// half_pixel became the default; what was before has this name.
std::string roi_align_mode(Graph& graph, const Node& node) {
  graph.set_attribute(node, "coordinate_transformation_mode", std::string("output_half_pixel"));
  return "";
}

std::string grid_sample_mode(Graph& graph, const Node& node) {
  const std::string mode = node.string_attribute("mode", "bilinear");
  if (mode == "bilinear") graph.set_attribute(node, "mode", std::string("linear"));
  if (mode == "bicubic") graph.set_attribute(node, "mode", std::string("cubic"));
  return "";
}

std::string dft_axis(Graph& graph, const Node& node) {
  const std::int64_t axis = node.int_attribute("axis", 1);
  graph.erase_attribute(node, "axis");
  graph.set_input(node, 2, add_constant(graph, node, "axis", Tensor::scalar(axis)));
  return "";
}

/// Sorted, for binary search.
constexpr std::string_view kOperators[] = {"Abs",
                                           "Acos",
                                           "Acosh",
                                           "Add",
                                           "AffineGrid",
                                           "And",
                                           "ArgMax",
                                           "ArgMin",
                                           "Asin",
                                           "Asinh",
                                           "Atan",
                                           "Atanh",
                                           "AveragePool",
                                           "BatchNormalization",
                                           "Bernoulli",
                                           "BitShift",
                                           "BitwiseAnd",
                                           "BitwiseNot",
                                           "BitwiseOr",
                                           "BitwiseXor",
                                           "BlackmanWindow",
                                           "Cast",
                                           "CastLike",
                                           "Ceil",
                                           "Celu",
                                           "CenterCropPad",
                                           "Clip",
                                           "Col2Im",
                                           "Compress",
                                           "Concat",
                                           "ConcatFromSequence",
                                           "Constant",
                                           "ConstantOfShape",
                                           "Conv",
                                           "ConvInteger",
                                           "ConvTranspose",
                                           "Cos",
                                           "Cosh",
                                           "CumSum",
                                           "DFT",
                                           "DeformConv",
                                           "DepthToSpace",
                                           "DequantizeLinear",
                                           "Det",
                                           "Div",
                                           "Dropout",
                                           "DynamicQuantizeLinear",
                                           "Einsum",
                                           "Elu",
                                           "Equal",
                                           "Erf",
                                           "Exp",
                                           "Expand",
                                           "EyeLike",
                                           "Flatten",
                                           "Floor",
                                           "GRU",
                                           "Gather",
                                           "GatherElements",
                                           "GatherND",
                                           "Gelu",
                                           "Gemm",
                                           "GlobalAveragePool",
                                           "GlobalLpPool",
                                           "GlobalMaxPool",
                                           "Greater",
                                           "GreaterOrEqual",
                                           "GridSample",
                                           "GroupNormalization",
                                           "HammingWindow",
                                           "HannWindow",
                                           "HardSigmoid",
                                           "HardSwish",
                                           "Hardmax",
                                           "Identity",
                                           "ImageDecoder",
                                           "InstanceNormalization",
                                           "IsInf",
                                           "IsNaN",
                                           "LRN",
                                           "LSTM",
                                           "LayerNormalization",
                                           "LeakyRelu",
                                           "Less",
                                           "LessOrEqual",
                                           "Log",
                                           "LogSoftmax",
                                           "LpNormalization",
                                           "LpPool",
                                           "MatMul",
                                           "MatMulInteger",
                                           "Max",
                                           "MaxPool",
                                           "MaxRoiPool",
                                           "MaxUnpool",
                                           "Mean",
                                           "MeanVarianceNormalization",
                                           "MelWeightMatrix",
                                           "Min",
                                           "Mish",
                                           "Mod",
                                           "Mul",
                                           "Multinomial",
                                           "Neg",
                                           "NegativeLogLikelihoodLoss",
                                           "NonMaxSuppression",
                                           "NonZero",
                                           "Not",
                                           "OneHot",
                                           "Optional",
                                           "OptionalGetElement",
                                           "OptionalHasElement",
                                           "Or",
                                           "PRelu",
                                           "Pad",
                                           "Pow",
                                           "QLinearConv",
                                           "QLinearMatMul",
                                           "QuantizeLinear",
                                           "RNN",
                                           "RandomNormal",
                                           "RandomNormalLike",
                                           "RandomUniform",
                                           "RandomUniformLike",
                                           "Range",
                                           "Reciprocal",
                                           "ReduceL1",
                                           "ReduceL2",
                                           "ReduceLogSum",
                                           "ReduceLogSumExp",
                                           "ReduceMax",
                                           "ReduceMean",
                                           "ReduceMin",
                                           "ReduceProd",
                                           "ReduceSum",
                                           "ReduceSumSquare",
                                           "RegexFullMatch",
                                           "Relu",
                                           "Reshape",
                                           "Resize",
                                           "ReverseSequence",
                                           "RoiAlign",
                                           "Round",
                                           "STFT",
                                           "Scatter",
                                           "ScatterElements",
                                           "ScatterND",
                                           "Selu",
                                           "SequenceAt",
                                           "SequenceConstruct",
                                           "SequenceEmpty",
                                           "SequenceErase",
                                           "SequenceInsert",
                                           "SequenceLength",
                                           "Shape",
                                           "Shrink",
                                           "Sigmoid",
                                           "Sign",
                                           "Sin",
                                           "Sinh",
                                           "Size",
                                           "Slice",
                                           "Softmax",
                                           "SoftmaxCrossEntropyLoss",
                                           "Softplus",
                                           "Softsign",
                                           "SpaceToDepth",
                                           "Split",
                                           "SplitToSequence",
                                           "Sqrt",
                                           "Squeeze",
                                           "StringConcat",
                                           "StringNormalizer",
                                           "StringSplit",
                                           "Sub",
                                           "Sum",
                                           "Tan",
                                           "Tanh",
                                           "TfIdfVectorizer",
                                           "ThresholdedRelu",
                                           "Tile",
                                           "TopK",
                                           "Transpose",
                                           "Trilu",
                                           "Unique",
                                           "Unsqueeze",
                                           "Upsample",
                                           "Where",
                                           "Xor"};
static_assert(std::is_sorted(std::begin(kOperators), std::end(kOperators)));

}  // namespace

std::string add_constant(Graph& graph, const Node& node, const std::string& role, Tensor tensor) {
  std::string name = graph.unique_name(format("{}_{}", node.name(), role));
  graph.add_initializer(name, std::move(tensor));
  return name;
}

bool is_known_operator(const std::string& op_type) {
  return std::binary_search(std::begin(kOperators), std::end(kOperators), op_type);
}

const std::vector<OperatorChange>& operator_changes() {
  static const std::vector<OperatorChange> kChanges = {
      {"BatchNormalization", 9, batch_norm_spatial},
      {"Dropout", 10, dropout_mask},
      {"Slice", 10, slice_inputs},
      {"TopK", 10, top_k},
      {"Upsample", 10, adapt_upsample},
      {"Clip", 11, clip_bounds},
      {"Pad", 11, pad_inputs},
      {"Resize", 11, adapt_resize_10},
      {"Scatter", 11, scatter_elements},
      {"Dropout", 12, dropout_ratio},
      {"Hardmax", 13, adapt_softmax},
      {"LogSoftmax", 13, adapt_softmax},
      {"ReduceSum", 13, reduce_axes},
      {"Resize", 13, adapt_resize_11},
      {"Softmax", 13, adapt_softmax},
      {"Split", 13, split_sizes},
      {"Squeeze", 13, squeeze_axes},
      {"Unsqueeze", 13, squeeze_axes},
      {"BatchNormalization", 14, batch_norm_outputs},
      {"RoiAlign", 16, roi_align_mode},
      {"ReduceL1", 18, reduce_axes},
      {"ReduceL2", 18, reduce_axes},
      {"ReduceLogSum", 18, reduce_axes},
      {"ReduceLogSumExp", 18, reduce_axes},
      {"ReduceMax", 18, reduce_axes},
      {"ReduceMean", 18, reduce_axes},
      {"ReduceMin", 18, reduce_axes},
      {"ReduceProd", 18, reduce_axes},
      {"ReduceSumSquare", 18, reduce_axes},
      {"Split", 18, split_count},
      {"DFT", 20, dft_axis},
      {"GridSample", 20, grid_sample_mode},
      {"GroupNormalization", 21, adapt_group_normalization}};
  return kChanges;
}

}  // namespace hexquant::passes
