#include "perf/work_kind.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "hexquant/tensor.h"

namespace hexquant::perf {
namespace {

using KindTable = std::unordered_map<std::string, WorkKind>;

KindTable make_table() {
  const std::vector<std::pair<WorkKind, std::vector<const char*>>> kinds = {
      {WorkKind::kConvolution, {"Conv", "FusedConv", "ConvInteger"}},
      {WorkKind::kTransposedConvolution, {"ConvTranspose"}},
      {WorkKind::kFullyConnected, {"Gemm", "MatMulNBits", "FusedGemm"}},
      {WorkKind::kMatMul, {"MatMul", "FusedMatMul", "MatMulInteger"}},
      {WorkKind::kRecurrent, {"LSTM", "GRU", "RNN"}},
      {WorkKind::kPool, {"MaxPool", "AveragePool", "LpPool"}},
      {WorkKind::kReduce,
       {"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "ReduceMean", "ReduceSum",
        "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ArgMax",
        "ArgMin", "CumSum", "TopK"}},
      {WorkKind::kElementwise,
       {"Add",
        "Sub",
        "Mul",
        "Min",
        "Max",
        "Sum",
        "Mean",
        "Relu",
        "Clip",
        "Neg",
        "Abs",
        "PRelu",
        "LeakyRelu",
        "Equal",
        "Greater",
        "Less",
        "GreaterOrEqual",
        "LessOrEqual",
        "And",
        "Or",
        "Not",
        "Xor",
        "Where",
        "Sign",
        "Floor",
        "Ceil",
        "Round",
        "BatchNormalization",
        "ThresholdedRelu"}},
      {WorkKind::kActivation,
       {"Sigmoid",     "Tanh", "Gelu", "FastGelu", "QuickGelu", "BiasGelu", "HardSwish",
        "HardSigmoid", "Elu",  "Selu", "Celu",     "Softplus",  "Softsign", "Mish",
        "Erf",         "Exp",  "Log",  "Sin",      "Cos",       "Tan",      "Asin",
        "Acos",        "Atan", "Sinh", "Cosh",     "Swish"}},
      {WorkKind::kDivision, {"Div", "Pow", "Sqrt", "Reciprocal", "Mod"}},
      {WorkKind::kSoftmax, {"Softmax", "LogSoftmax", "Hardmax"}},
      {WorkKind::kNormalization,
       {"LayerNormalization", "SimplifiedLayerNormalization", "SkipLayerNormalization",
        "RMSNormalization", "InstanceNormalization", "GroupNormalization", "LpNormalization",
        "MeanVarianceNormalization", "LRN"}},
      {WorkKind::kResize, {"Resize", "Upsample", "GridSample", "RoiAlign"}},
      {WorkKind::kMover,
       {"Transpose", "Concat", "Split", "Slice", "Pad", "Gather", "GatherElements", "GatherND",
        "ScatterElements", "ScatterND", "DepthToSpace", "SpaceToDepth", "Tile", "Expand",
        "ReverseSequence", "Trilu", "OneHot"}},
      {WorkKind::kReshape, {"Reshape", "Flatten", "Squeeze", "Unsqueeze"}},
      {WorkKind::kConversion, {"QuantizeLinear", "DequantizeLinear", "Cast"}},
      {WorkKind::kFree,
       {"Identity", "Dropout", "Shape", "Size", "Constant", "ConstantOfShape", "Range"}}};
  KindTable table;
  for (const auto& [kind, ops] : kinds) {
    for (const char* op : ops) table[op] = kind;
  }
  return table;
}

std::int64_t product(const Shape& shape, std::size_t first = 0) {
  std::int64_t value = 1;
  for (std::size_t i = first; i < shape.size(); ++i) value *= shape[i];
  return value;
}

/// Steps * batch * directions * gates * hidden * (inputs + hidden).
std::int64_t recurrent_macs(const std::vector<Shape>& inputs) {
  if (inputs.size() < 3 || inputs[0].size() != 3 || inputs[2].size() != 3) return 0;
  const Shape& x = inputs[0];
  const Shape& recurrence = inputs[2];  // [directions, gates * hidden, hidden]
  return x[0] * x[1] * recurrence[0] * recurrence[1] * (x[2] + recurrence[2]);
}

}  // namespace

const char* work_kind_name(WorkKind kind) noexcept {
  switch (kind) {
    case WorkKind::kConvolution:
      return "convolution";
    case WorkKind::kDepthwise:
      return "depthwise";
    case WorkKind::kTransposedConvolution:
      return "transposed-convolution";
    case WorkKind::kFullyConnected:
      return "fully-connected";
    case WorkKind::kMatMul:
      return "matmul";
    case WorkKind::kRecurrent:
      return "recurrent";
    case WorkKind::kPool:
      return "pool";
    case WorkKind::kReduce:
      return "reduce";
    case WorkKind::kElementwise:
      return "elementwise";
    case WorkKind::kActivation:
      return "activation";
    case WorkKind::kDivision:
      return "division";
    case WorkKind::kSoftmax:
      return "softmax";
    case WorkKind::kNormalization:
      return "normalization";
    case WorkKind::kResize:
      return "resize";
    case WorkKind::kMover:
      return "mover";
    case WorkKind::kConversion:
      return "conversion";
    case WorkKind::kReshape:
      return "reshape";
    case WorkKind::kFree:
      return "free";
    case WorkKind::kOther:
      return "other";
  }
  return "?";
}

WorkKind work_kind(const graph::Node& node) {
  static const KindTable kTable = make_table();
  const auto found = kTable.find(node.op_type());
  const bool known_domain = node.domain().empty() || node.domain() == "com.microsoft";
  return found == kTable.end() || !known_domain ? WorkKind::kOther : found->second;
}

std::int64_t count_macs(const graph::Node& node, const std::vector<Shape>& inputs,
                        const Shape& output) {
  switch (work_kind(node)) {
    case WorkKind::kConvolution:  // weights [O, I / groups, kernel...]
      return inputs.size() < 2 ? 0 : product(output) * product(inputs[1], 1);
    case WorkKind::kTransposedConvolution:  // weights [I, O / groups, kernel...]
      return inputs.size() < 2 ? 0 : product(inputs[0]) * product(inputs[1], 1);
    case WorkKind::kFullyConnected:
    case WorkKind::kMatMul: {
      if (inputs.empty() || inputs[0].empty()) return 0;
      const bool transposed = node.int_attribute("transA", 0) != 0;
      return product(output) * (transposed ? inputs[0].front() : inputs[0].back());
    }
    case WorkKind::kRecurrent:
      return recurrent_macs(inputs);
    default:
      return 0;
  }
}

}  // namespace hexquant::perf
