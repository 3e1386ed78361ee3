// Every operator against ONNX Runtime.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "core/format.h"
#include "hexquant/error.h"
#include "qat/qat_testing.h"

namespace hexquant::qat {
namespace {

using graph::Attributes;
using graph::Graph;
using Ints = std::vector<std::int64_t>;
using testing::random_tensor;

/// Float arithmetic in another order; results are compared relative to the largest.
constexpr double kFloatTolerance = 2e-6;

struct Case {
  std::string op;
  std::vector<Tensor> data;            ///< graph inputs
  std::vector<Tensor> constants = {};  ///< initializers behind them; empty type = absent
  Attributes attributes = {};
  int outputs = 1;
  std::int64_t opset = 21;
  std::string domain = {};
};

Tensor ints(const Ints& values) {
  return Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}
Tensor whole(std::int64_t value) {
  return Tensor::scalar<std::int64_t>(value);
}
Tensor number(float value) {
  return Tensor::scalar<float>(value);
}
Tensor floats(const std::vector<float>& values) {
  return Tensor::from<float>({static_cast<std::int64_t>(values.size())}, values);
}
Tensor absent() {
  return {};
}
Tensor x(const Shape& shape) {
  return random_tensor(shape, 1);
}
Tensor other(const Shape& shape) {
  return random_tensor(shape, 2);
}
Tensor positive(const Shape& shape) {
  Tensor tensor = random_tensor(shape, 3);
  for (float& value : tensor.mutable_data<float>()) value = std::abs(value) + 0.1F;
  return tensor;
}
Tensor booleans(const Shape& shape) {
  Tensor tensor(DType::kBool, shape);
  auto values = tensor.mutable_data<bool>();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = i % 3 == 1;
  return tensor;
}

/// The case as a graph of one node, and what it is fed.
struct Scene {
  Graph graph;
  runtime::Feeds feeds;
};

Scene scene_of(const Case& given) {
  Scene scene;
  scene.graph.opsets[""] = given.opset;
  if (!given.domain.empty()) scene.graph.opsets[given.domain] = 1;
  std::vector<std::string> inputs;
  for (const Tensor& tensor : given.data) {
    const std::string name = format("x{}", inputs.size());
    graph::ValueType type{tensor.dtype(), std::vector<graph::Dim>{}};
    for (const std::int64_t dim : tensor.shape()) type.shape->push_back({dim, ""});
    scene.graph.add_input(name, type);
    scene.feeds.emplace(name, tensor);
    inputs.push_back(name);
  }
  for (const Tensor& tensor : given.constants) {
    const std::string name = format("c{}", inputs.size());
    inputs.push_back(tensor.dtype() == DType::kUndefined ? "" : name);
    if (tensor.dtype() != DType::kUndefined) scene.graph.add_initializer(name, tensor);
  }
  std::vector<std::string> outputs;
  for (int i = 0; i < given.outputs; ++i) outputs.push_back(format("y{}", i));
  scene.graph.add_node({given.op, inputs, outputs, given.attributes, "node", given.domain});
  for (const std::string& output : outputs) scene.graph.add_output(output);
  return scene;
}

std::vector<Case> linear_cases() {
  const Tensor image = x({2, 4, 9, 8});
  return {
      {"Conv", {image}, {other({6, 4, 3, 3}), other({6})}, {{"pads", Ints{1, 1, 1, 1}}}},
      {"Conv", {image}, {other({6, 4, 3, 3})}, {{"pads", Ints{0, 1, 2, 0}}}},
      {"Conv", {image}, {other({4, 1, 3, 3}), other({4})}, {{"group", std::int64_t{4}}}},
      {"Conv",
       {image},
       {other({8, 2, 2, 3})},
       {{"group", std::int64_t{2}}, {"strides", Ints{2, 1}}, {"dilations", Ints{1, 2}}}},
      {"Conv",
       {image},
       {other({6, 4, 3, 3})},
       {{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 2}}}},
      {"Conv", {image}, {other({6, 4, 2, 2})}, {{"auto_pad", std::string("SAME_LOWER")}}},
      {"Conv", {image}, {other({6, 4, 3, 3})}, {{"auto_pad", std::string("VALID")}}},
      {"Conv", {x({2, 3, 20})}, {other({5, 3, 4}), other({5})}, {{"pads", Ints{1, 2}}}},
      {"Conv", {x({1, 2, 5, 6, 7})}, {other({3, 2, 2, 2, 2})}},
      {"Conv", {image, other({6, 4, 3, 3})}, {}, {{"kernel_shape", Ints{3, 3}}}},
      {"ConvTranspose", {image}, {other({4, 5, 2, 2}), other({5})}, {{"strides", Ints{2, 2}}}},
      {"ConvTranspose",
       {image},
       {other({4, 3, 3, 3})},
       {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}, {"output_padding", Ints{1, 1}}}},
      {"ConvTranspose",
       {image},
       {other({4, 2, 3, 3})},
       {{"strides", Ints{2, 1}}, {"pads", Ints{0, 1, 2, 0}}, {"group", std::int64_t{2}}}},
      {"Gemm", {x({3, 5})}, {other({5, 4}), other({4})}},
      {"Gemm",
       {x({5, 3})},
       {other({4, 5}), other({3, 1})},
       {{"transA", std::int64_t{1}}, {"transB", std::int64_t{1}}, {"alpha", 0.5F}, {"beta", 2.0F}}},
      {"Gemm", {x({3, 5})}, {other({5, 4})}, {{"alpha", 3.0F}}},
      {"MatMul", {x({2, 3, 5})}, {other({5, 4})}},
      {"MatMul", {x({2, 3, 4, 5}), other({3, 5, 2})}},
      {"MatMul", {x({5}), other({5, 2})}},
      {"Einsum",
       {x({2, 3, 4}), other({2, 5, 4})},
       {},
       {{"equation", std::string("bij,bkj->bik")}}}};
}

std::vector<Case> unary_cases() {
  std::vector<Case> cases;
  for (const char* op : {"Abs",       "Ceil",     "Celu",      "Cos",     "Elu",
                         "Erf",       "Exp",      "Floor",     "Gelu",    "HardSigmoid",
                         "HardSwish", "Identity", "LeakyRelu", "Mish",    "Neg",
                         "Relu",      "Round",    "Selu",      "Sigmoid", "Sign",
                         "Sin",       "Softplus", "Softsign",  "Tanh",    "ThresholdedRelu"}) {
    cases.push_back({op, {x({3, 17})}});
  }
  for (const char* op : {"Log", "Reciprocal", "Sqrt"}) cases.push_back({op, {positive({3, 17})}});
  const std::vector<Case> more = {
      {"Round", {floats({0.5F, 1.5F, 2.5F, -0.5F, -1.5F})}},
      {"LeakyRelu", {x({40})}, {}, {{"alpha", 0.3F}}},
      {"Elu", {x({40})}, {}, {{"alpha", 2.0F}}},
      {"Celu", {x({40})}, {}, {{"alpha", 0.5F}}},
      {"HardSigmoid", {x({40})}, {}, {{"alpha", 1.0F / 6.0F}, {"beta", 0.5F}}},
      {"ThresholdedRelu", {x({40})}, {}, {{"alpha", 0.2F}}},
      {"Gelu", {x({40})}, {}, {{"approximate", std::string("tanh")}}},
      {"Gelu", {x({40})}, {}, {}, 1, 17, "com.microsoft"},
      {"PRelu", {x({2, 3, 4, 4})}, {other({3, 1, 1})}},
      {"Clip", {x({40})}, {number(-0.5F), number(0.7F)}},
      {"Clip", {x({40})}, {absent(), number(0.7F)}},
      {"Clip", {x({40})}, {number(0.0F)}},
      {"Clip", {x({40})}, {}, {{"min", -0.2F}, {"max", 0.4F}}, 1, 9},
      {"Clip", {ints({-3, 0, 5, 9})}, {whole(-1), whole(6)}},
      {"Cast", {x({40})}, {}, {{"to", std::int64_t{7}}}},
      {"CastLike", {x({40}), whole(3)}},
      {"Dropout", {x({40})}},
      {"Not", {booleans({7})}},
      {"DequantizeLinear",
       {Tensor::from<std::uint8_t>({4}, {0, 7, 128, 255})},
       {number(0.25F), Tensor::scalar<std::uint8_t>(7)}}};
  cases.insert(cases.end(), more.begin(), more.end());
  return cases;
}

std::vector<Case> binary_cases() {
  std::vector<Case> cases;
  for (const char* op :
       {"Add", "Sub", "Mul", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"}) {
    cases.push_back({op, {x({2, 3, 4}), other({3, 1})}});
  }
  for (const char* op : {"And", "Or", "Xor"}) {
    cases.push_back({op, {booleans({2, 3}), booleans({3})}});
  }
  for (const char* op : {"Max", "Min", "Mean", "Sum"}) {
    cases.push_back({op, {x({2, 3}), other({3}), positive({2, 1})}});
  }
  const std::vector<Case> more = {
      {"Div", {ints({7, -7, 9}), ints({2, 2, -4})}},
      {"Mod", {ints({7, -7, 9}), ints({2, 2, -4})}},
      {"Mod", {x({20}), positive({20})}, {}, {{"fmod", std::int64_t{1}}}},
      {"Pow", {positive({20}), other({20})}},
      {"Pow", {x({20})}, {number(2.0F)}},
      {"Pow", {x({20})}, {number(3.0F)}},
      {"Pow", {positive({20})}, {number(0.5F)}},
      {"Where", {booleans({2, 3}), x({2, 3}), other({3})}}};
  cases.insert(cases.end(), more.begin(), more.end());
  return cases;
}

std::vector<Case> pool_cases() {
  const Tensor image = x({2, 3, 9, 8});
  const Attributes base = {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}};
  const auto with = [&](const Attributes& more) {
    Attributes all = base;
    all.insert(more.begin(), more.end());
    return all;
  };
  const Attributes padded = with({{"pads", Ints{1, 1, 1, 1}}});
  const Attributes ceiled = with({{"pads", Ints{0, 1, 1, 0}}, {"ceil_mode", std::int64_t{1}}});
  Attributes counted = ceiled;
  counted["count_include_pad"] = std::int64_t{1};
  std::vector<Case> cases;
  for (const char* op : {"MaxPool", "AveragePool"}) {
    cases.push_back({op, {image}, {}, base});
    cases.push_back({op, {image}, {}, padded});
    cases.push_back({op, {image}, {}, ceiled});
    cases.push_back({op, {image}, {}, with({{"auto_pad", std::string("SAME_UPPER")}})});
    cases.push_back({op, {x({2, 3, 11})}, {}, {{"kernel_shape", Ints{3}}, {"pads", Ints{1, 0}}}});
    cases.push_back({op, {x({1, 2, 5, 5, 5})}, {}, {{"kernel_shape", Ints{2, 2, 2}}}});
  }
  cases.push_back({"MaxPool", {image}, {}, with({{"dilations", Ints{2, 1}}})});
  cases.push_back({"AveragePool", {image}, {}, counted});
  cases.push_back({"GlobalAveragePool", {image}});
  cases.push_back({"GlobalMaxPool", {image}});
  return cases;
}

std::vector<Case> normalize_cases() {
  const Tensor image = x({2, 4, 5, 6});
  std::vector<Case> cases = {
      {"BatchNormalization",
       {image},
       {other({4}), x({4}), x({4}), positive({4})},
       {{"epsilon", 1e-3F}}},
      {"GroupNormalization", {image}, {other({4}), x({4})}, {{"num_groups", std::int64_t{2}}}},
      {"InstanceNormalization", {image}, {other({4}), x({4})}},
      {"LayerNormalization", {image}, {other({6}), x({6})}},
      {"LayerNormalization",
       {image},
       {other({5, 6})},
       {{"axis", std::int64_t{2}}, {"epsilon", 0.1F}}},
      {"LayerNormalization", {image}, {other({1}), x({6})}},
      {"LpNormalization", {image}, {}, {{"axis", std::int64_t{1}}}},
      {"LpNormalization", {image}, {}, {{"p", std::int64_t{1}}}},
      {"SimplifiedLayerNormalization", {image}, {other({6})}, {{"epsilon", 1e-3F}}},
      {"RMSNormalization", {image}, {other({6})}, {{"epsilon", 1e-3F}}, 1, 23}};
  for (const char* op : {"Softmax", "LogSoftmax"}) {
    cases.push_back({op, {image}});
    cases.push_back({op, {image}, {}, {{"axis", std::int64_t{1}}}});
    cases.push_back({op, {image}, {}, {{"axis", std::int64_t{2}}}, 1, 11});
  }
  return cases;
}

std::vector<Case> reduce_cases() {
  std::vector<Case> cases;
  for (const char* op : {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax",
                         "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"}) {
    const Tensor data = positive({2, 3, 4});
    cases.push_back({op, {data}, {ints({1, -1})}});
    cases.push_back({op, {data}, {ints({0})}, {{"keepdims", std::int64_t{0}}}});
    cases.push_back({op, {data}});
    cases.push_back({op, {data}, {}, {{"noop_with_empty_axes", std::int64_t{1}}}});
    cases.push_back({op, {data}, {}, {{"axes", Ints{1}}}, 1, 11});
  }
  const std::vector<Case> more = {{"ArgMax", {x({3, 5})}, {}, {{"axis", std::int64_t{1}}}},
                                  {"ArgMin", {x({3, 5})}, {}, {{"keepdims", std::int64_t{0}}}},
                                  {"CumSum", {x({3, 5})}, {whole(1)}},
                                  {"CumSum",
                                   {x({3, 5})},
                                   {whole(0)},
                                   {{"exclusive", std::int64_t{1}}, {"reverse", std::int64_t{1}}}},
                                  {"ReduceMean", {ints({7, 8, 10})}},
                                  {"TopK", {x({3, 7})}, {ints({4})}, {}, 2},
                                  {"TopK",
                                   {x({5, 2})},
                                   {ints({2})},
                                   {{"axis", std::int64_t{0}}, {"largest", std::int64_t{0}}},
                                   2}};
  cases.insert(cases.end(), more.begin(), more.end());
  return cases;
}

std::vector<Case> shape_cases() {
  const Tensor data = x({2, 3, 4});
  const Tensor image = x({2, 8, 4, 6});
  const std::string reflect = "reflect";
  return {
      {"Concat", {data, other({2, 1, 4})}, {}, {{"axis", std::int64_t{-2}}}},
      {"Constant", {}, {}, {{"value", data}}},
      {"ConstantOfShape", {ints({2, 3})}, {}, {{"value", ints({7})}}},
      {"ConstantOfShape", {ints({2, 3})}},
      {"DepthToSpace", {image}, {}, {{"blocksize", std::int64_t{2}}}},
      {"DepthToSpace", {image}, {}, {{"blocksize", std::int64_t{2}}, {"mode", std::string("CRD")}}},
      {"SpaceToDepth", {image}, {}, {{"blocksize", std::int64_t{2}}}},
      {"Expand", {x({3, 1})}, {ints({2, 1, 4})}},
      {"Expand", {x({3, 1}), ints({2, 3, 4})}},
      {"Flatten", {image}},
      {"Flatten", {image}, {}, {{"axis", std::int64_t{-1}}}},
      {"Flatten", {image}, {}, {{"axis", std::int64_t{0}}}},
      {"Pad", {data}, {ints({0, 1, 2, 1, 0, 0})}},
      {"Pad", {data}, {ints({0, -1, 2, 1, 0, 0}), number(3.0F)}},
      {"Pad", {data}, {ints({1, 2}), absent(), ints({-1})}},
      {"Pad", {data}, {ints({0, 1, 2, 0, 2, 3})}, {{"mode", reflect}}},
      {"Pad", {data}, {ints({0, 1, 2, 0, 2, 3})}, {{"mode", std::string("edge")}}},
      {"Pad", {data}, {ints({0, 1, 2, 0, 2, 3})}, {{"mode", std::string("wrap")}}},
      {"Range", {whole(3), whole(11), whole(2)}},
      {"Reshape", {data}, {ints({0, -1})}},
      {"Reshape", {data, ints({4, 6})}},
      {"Shape", {data}},
      {"Shape", {data}, {}, {{"start", std::int64_t{-2}}, {"end", std::int64_t{2}}}},
      {"Size", {data}},
      {"Slice", {data}, {ints({1, 0}), ints({3, 3}), ints({1, 2}), ints({1, 2})}},
      {"Slice", {data}, {ints({-1}), ints({-1000}), ints({2}), ints({-1})}},
      {"Slice", {data}, {ints({3}), ints({0}), ints({-1}), ints({-2})}},
      {"Slice", {data}, {ints({0, 1}), ints({1000, 2})}},
      {"Slice", {data}, {}, {{"starts", Ints{1}}, {"ends", Ints{2}}, {"axes", Ints{1}}}, 1, 9},
      {"Split", {data}, {ints({1, 3})}, {{"axis", std::int64_t{2}}}, 2},
      {"Split", {data}, {}, {{"axis", std::int64_t{-1}}, {"num_outputs", std::int64_t{3}}}, 3},
      {"Split", {data}, {}, {{"axis", std::int64_t{2}}}, 2, 11},
      {"Squeeze", {x({1, 3, 1})}},
      {"Squeeze", {x({1, 3, 1})}, {ints({-1})}},
      {"Squeeze", {x({1, 3, 1})}, {}, {{"axes", Ints{0, 2}}}, 1, 11},
      {"Unsqueeze", {data}, {ints({0, -1})}},
      {"Tile", {data}, {ints({1, 2, 3})}},
      {"Transpose", {data}},
      {"Transpose", {data}, {}, {{"perm", Ints{1, 0, 2}}}}};
}

std::vector<Case> index_cases() {
  const Tensor data = x({4, 3, 5});
  return {{"Gather", {data}, {ints({2, -1})}, {{"axis", std::int64_t{1}}}},
          {"Gather", {data, Tensor::from<std::int64_t>({2, 2}, Ints{0, 3, -1, 1})}},
          {"Gather", {data}, {whole(2)}, {{"axis", std::int64_t{-1}}}},
          {"GatherElements",
           {data, Tensor::from<std::int64_t>({1, 3, 2}, Ints{0, 1, -1, 2, 3, 0})},
           {},
           {{"axis", std::int64_t{0}}}},
          {"GatherND", {data, Tensor::from<std::int64_t>({2, 2}, Ints{0, 1, 3, -1})}},
          {"Trilu", {x({2, 4, 4})}},
          {"Trilu", {x({2, 4, 4})}, {whole(-1)}, {{"upper", std::int64_t{0}}}}};
}

std::vector<Case> resize_cases() {
  const Tensor image = x({2, 3, 5, 6});
  const std::string linear = "linear";
  const auto form = [](const std::string& mode, const std::string& coordinates) -> Attributes {
    return {{"mode", mode}, {"coordinate_transformation_mode", coordinates}};
  };
  std::vector<Case> cases;
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    for (const char* coordinates : {"half_pixel", "asymmetric", "align_corners",
                                    "pytorch_half_pixel", "half_pixel_symmetric"}) {
      cases.push_back(
          {"Resize", {image}, {absent(), floats({1, 1, 2, 1.5F})}, form(mode, coordinates)});
      cases.push_back(
          {"Resize", {image}, {absent(), absent(), ints({2, 3, 3, 8})}, form(mode, coordinates)});
    }
  }
  for (const char* nearest : {"floor", "ceil", "round_prefer_ceil", "round_prefer_floor"}) {
    Attributes attributes = form("nearest", "asymmetric");
    attributes["nearest_mode"] = std::string(nearest);
    cases.push_back({"Resize", {image}, {absent(), floats({1, 1, 0.6F, 2})}, attributes});
  }
  Attributes chosen = form(linear, "half_pixel");
  chosen["axes"] = Ints{2, 3};
  cases.push_back({"Resize", {image}, {absent(), floats({2, 0.5F})}, chosen});
  Attributes outside = form("cubic", "half_pixel");
  outside["exclude_outside"] = std::int64_t{1};
  outside["cubic_coeff_a"] = -0.5F;
  cases.push_back({"Resize", {image}, {absent(), floats({1, 1, 2, 2})}, outside});
  return cases;
}

std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (const auto& family :
       {linear_cases(), unary_cases(), binary_cases(), pool_cases(), normalize_cases(),
        reduce_cases(), shape_cases(), index_cases(), resize_cases()}) {
    all.insert(all.end(), family.begin(), family.end());
  }
  return all;
}

class OperatorTest : public ::testing::TestWithParam<Case> {};

TEST_P(OperatorTest, GivesWhatOnnxRuntimeGives) {
  const Scene scene = scene_of(GetParam());
  const auto network = TrainableNetwork::make(scene.graph, {}, {});
  testing::expect_same_outputs(testing::by_network(network, scene.graph, scene.feeds, Mode::kFloat),
                               testing::by_runtime(scene.graph, scene.feeds), kFloatTolerance);
}

INSTANTIATE_TEST_SUITE_P(All, OperatorTest, ::testing::ValuesIn(all_cases()),
                         [](const ::testing::TestParamInfo<Case>& info) {
                           return format("{}_{}", info.param.op, info.index);
                         });

TEST(Operators, EachIsCompared) {
  std::set<std::string> compared;
  for (const Case& given : all_cases()) {
    compared.insert(given.domain.empty() ? given.op : given.domain + "." + given.op);
  }
  EXPECT_THAT(supported_operators(), ::testing::ElementsAreArray(compared));
}

TEST(Operators, TheTableOfTheDocumentNamesEach) {
  std::ifstream file(std::filesystem::path(HEXQUANT_SOURCE_DIR) / "docs" / "methods" / "qat.md");
  std::set<std::string> named;
  bool in_section = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) in_section = line == "## Supported operators";
    if (!in_section || !line.starts_with("| ")) continue;
    static const std::regex word("`([A-Za-z0-9.]+)`");
    for (std::sregex_iterator at(line.begin(), line.end(), word), end; at != end; ++at) {
      EXPECT_TRUE(named.insert((*at)[1]).second) << (*at)[1] << " stands there twice";
    }
  }
  EXPECT_THAT(supported_operators(), ::testing::ElementsAreArray(named));
}

/// Message of the error that making a network of this node gives.
std::string refusal(const Case& given) {
  try {
    static_cast<void>(TrainableNetwork::make(scene_of(given).graph, {}, {}));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    return error.what();
  }
  return "accepted";
}

TEST(Operators, WhatIsNotSupportedIsNamedWithItsReason) {
  EXPECT_EQ(refusal({"NonZero", {x({3})}}),
            "1 node cannot be trained: 'node' (NonZero): no gradient is known for this operation");
  EXPECT_EQ(refusal({"MaxPool", {x({1, 1, 4, 4})}, {}, {{"kernel_shape", Ints{2, 2}}}, 2}),
            "1 node cannot be trained: 'node' (MaxPool): its indices are used");
  EXPECT_THAT(refusal({"Resize",
                       {x({1, 1, 4, 4})},
                       {absent(), floats({1, 1, 2, 2})},
                       {{"mode", std::string("linear")}, {"antialias", std::int64_t{1}}}}),
              ::testing::HasSubstr("antialias is 1"));
}

}  // namespace
}  // namespace hexquant::qat
