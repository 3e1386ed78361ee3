#include "perf/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "perf/work_kind.h"
#include "support/graph_builder.h"
#include "target/target.h"

namespace hexquant::perf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A QDQ graph whose scales are all 0.5, made value by value.
class QdqModel {
 public:
  QdqModel() { builder_.scalar("scale", 0.5F); }

  QdqModel& input(const std::string& name, const Shape& shape, DType dtype = DType::kFloat32) {
    builder_.input(name, shape, dtype);
    return *this;
  }
  /// value -> Q -> DQ; returns the name behind it.
  std::string pair(const std::string& value, const Shape& shape, DType type = DType::kUInt8) {
    const std::string codes = value + "_q" + std::to_string(++count_);
    quantize(value, codes, shape, type);
    return dequantize(codes, shape, type);
  }
  void quantize(const std::string& value, const std::string& codes, const Shape& shape,
                DType type) {
    builder_.node("QuantizeLinear", {value, "scale", zero(type)}, {codes}, shape, {}, "", type);
  }
  std::string dequantize(const std::string& codes, const Shape& shape, DType type = DType::kUInt8) {
    const std::string result = codes + "_d" + std::to_string(++count_);
    builder_.node("DequantizeLinear", {codes, "scale", zero(type)}, {result}, shape);
    return result;
  }
  /// Constant codes behind a DequantizeLinear.
  std::string weight(const std::string& name, DType type, const Shape& shape) {
    constants_.emplace_back(name, Tensor(type, shape));
    return dequantize(name, shape, type);
  }
  std::string node(const std::string& op, std::vector<std::string> inputs, const Shape& shape,
                   graph::Attributes attributes = {}) {
    const std::string name = op + std::to_string(++count_);
    builder_.node(op, std::move(inputs), {name}, shape, std::move(attributes));
    return name;
  }
  QdqModel& output(const std::string& value) {
    builder_.output(value);
    return *this;
  }

  Workload workload() {
    graph::Graph graph = builder_.graph();
    for (const auto& [name, tensor] : constants_) graph.add_initializer(name, tensor);
    graph.sort();
    const target::Target target = target::load_target("SM8650");
    return make_workload(graph, target::predict_placement(target.rules, graph));
  }

 private:
  std::string zero(DType type) {
    const std::string name = "zero_" + dtype_name(type);
    if (!zeros_[name]) constants_.emplace_back(name, Tensor(type, {}));
    zeros_[name] = true;
    return name;
  }
  test::GraphBuilder builder_;
  std::vector<std::pair<std::string, Tensor>> constants_;
  std::map<std::string, bool> zeros_;
  int count_ = 0;
};

std::vector<std::string> kinds(const Workload& work) {
  std::vector<std::string> names;
  for (const Operation& operation : work.operations) {
    names.emplace_back(work_kind_name(operation.kind));
  }
  return names;
}

const WorkTensor& written(const Workload& work, std::size_t operation) {
  return work.tensors[static_cast<std::size_t>(work.operations[operation].outputs.at(0))];
}

TEST(Workload, ConvolutionWithBiasAndReluIsOneOperation) {
  QdqModel model;
  model.input("x", {1, 3, 8, 8});
  const std::string x = model.pair("x", {1, 3, 8, 8});
  const std::string w = model.weight("w", DType::kInt8, {16, 3, 3, 3});
  const std::string b = model.weight("b", DType::kInt32, {16});
  const std::string conv =
      model.node("Conv", {x, w, b}, {1, 16, 4, 4}, {{"strides", std::vector<std::int64_t>{2, 2}}});
  const std::string relu = model.node("Relu", {conv}, {1, 16, 4, 4});
  model.output(model.pair(relu, {1, 16, 4, 4}));

  const Workload work = model.workload();
  EXPECT_THAT(kinds(work), ElementsAre("conversion", "convolution", "conversion"));
  EXPECT_EQ(work.operations[0].unit, target::Unit::kCpu);  // borders are converted on the CPU
  const Operation& layer = work.operations[1];
  EXPECT_THAT(layer.nodes, ElementsAre(conv, relu));
  EXPECT_EQ(layer.macs, 1 * 16 * 4 * 4 * 3 * 3 * 3);
  EXPECT_EQ(layer.weight_bytes, 16 * 3 * 3 * 3 + 16 * 4);
  EXPECT_EQ(layer.act_bits, 8);
  EXPECT_EQ(layer.weight_bits, 8);
  EXPECT_THAT(layer.kernel, ElementsAre(3, 3));
  EXPECT_THAT(layer.strides, ElementsAre(2, 2));
  EXPECT_EQ(written(work, 1).bytes(), 16 * 4 * 4);
  EXPECT_THAT(written(work, 1).readers, ElementsAre(2));
  EXPECT_TRUE(written(work, 2).is_graph_output);
  EXPECT_TRUE(written(work, 2).is_float);
  EXPECT_THAT(work.findings, IsEmpty());
}

TEST(Workload, KindsAndMultiplyAccumulatesOfLayers) {
  QdqModel model;
  model.input("x", {1, 8, 4, 4});
  const std::string x = model.pair("x", {1, 8, 4, 4});
  const std::string depthwise =
      model.node("Conv", {x, model.weight("w1", DType::kInt8, {8, 1, 3, 3})}, {1, 8, 4, 4},
                 {{"group", std::int64_t{8}}});
  const std::string y = model.pair(depthwise, {1, 8, 4, 4});
  const std::string up = model.node(
      "ConvTranspose", {y, model.weight("w2", DType::kInt8, {8, 2, 2, 2})}, {1, 2, 8, 8});
  const std::string z = model.pair(up, {1, 2, 8, 8});
  const std::string rows =
      model.node("MatMul", {z, model.weight("w3", DType::kInt4, {8, 16})}, {1, 2, 8, 16});
  const std::string r = model.pair(rows, {1, 2, 8, 16});
  const std::string product = model.node("MatMul", {z, r}, {1, 2, 8, 16});
  model.output(model.pair(product, {1, 2, 8, 16}));

  const Workload work = model.workload();
  EXPECT_THAT(kinds(work), ElementsAre("conversion", "depthwise", "transposed-convolution",
                                       "fully-connected", "matmul", "conversion"));
  EXPECT_EQ(work.operations[1].macs, 8 * 4 * 4 * 9);
  EXPECT_EQ(work.operations[2].macs, 8 * 4 * 4 * 2 * 2 * 2);
  EXPECT_EQ(work.operations[3].macs, 2 * 8 * 16 * 8);
  EXPECT_EQ(work.operations[3].weight_bits, 4);
  EXPECT_EQ(work.operations[3].weight_bytes, 8 * 16 / 2);
  EXPECT_EQ(work.operations[4].weight_bits, 0);
}

TEST(Workload, WidthsChangeThroughConversions) {
  QdqModel model;
  model.input("x", {1, 4}, DType::kUInt8);
  const std::string x = model.dequantize("x", {1, 4});
  const std::string wide = model.pair(x, {1, 4}, DType::kUInt16);
  const std::string sum = model.node("Add", {wide, wide}, {1, 4});
  model.output(model.pair(sum, {1, 4}, DType::kUInt16));

  const Workload work = model.workload();
  EXPECT_THAT(kinds(work), ElementsAre("conversion", "elementwise", "conversion"));
  EXPECT_EQ(work.operations[0].unit, target::Unit::kNpuInteger);
  EXPECT_EQ(work.operations[1].act_bits, 16);
  EXPECT_EQ(written(work, 1).bits, 16);
  EXPECT_THAT(work.inputs, SizeIs(1));
  EXPECT_EQ(work.tensors[static_cast<std::size_t>(work.inputs[0])].bits, 8);
}

/// An operation writes 8 bits, and one reader wants 16: its own width stays what it is.
TEST(Workload, AWrittenWidthIsKeptWhereAReaderWantsAnother) {
  QdqModel model;
  model.input("x", {1, 4}, DType::kUInt8);
  const std::string x = model.dequantize("x", {1, 4});
  const std::string sum = model.node("Add", {x, x}, {1, 4});
  const std::string narrow = model.pair(sum, {1, 4});
  const std::string wide = model.pair(narrow, {1, 4}, DType::kUInt16);
  const std::string product = model.node("Mul", {wide, wide}, {1, 4});
  model.output(model.pair(product, {1, 4}, DType::kUInt16));

  const Workload work = model.workload();
  EXPECT_THAT(kinds(work), ElementsAre("elementwise", "conversion", "elementwise", "conversion"));
  EXPECT_EQ(work.operations[0].act_bits, 8);
  EXPECT_EQ(written(work, 0).bits, 8);
  EXPECT_EQ(written(work, 1).bits, 16);
  EXPECT_EQ(work.operations[2].act_bits, 16);
}

TEST(Workload, IndicesDoNotWidenWhatTheyPick) {
  QdqModel model;
  model.input("ids", {1, 4}, DType::kInt64);
  const std::string table = model.weight("table", DType::kUInt8, {100, 8});
  const std::string rows = model.node("Gather", {table, "ids"}, {1, 4, 8});
  model.output(model.pair(rows, {1, 4, 8}));
  const Workload work = model.workload();
  EXPECT_EQ(work.operations.at(0).op, "Gather");
  EXPECT_EQ(work.operations[0].act_bits, 8);
}

TEST(Workload, FloatPartsAreEnteredAndLeftByConversions) {
  QdqModel model;
  model.input("x", {1, 4}, DType::kUInt8);
  const std::string x = model.dequantize("x", {1, 4});
  const std::string exp = model.node("Exp", {x}, {1, 4});  // nothing quantized behind it: float
  const std::string twice = model.node("Exp", {exp}, {1, 4});
  const std::string y = model.pair(twice, {1, 4});
  const std::string sum = model.node("Add", {y, x}, {1, 4});
  model.quantize(sum, "codes", {1, 4}, DType::kUInt8);
  model.output("codes");

  const Workload work = model.workload();
  EXPECT_THAT(kinds(work),
              ElementsAre("conversion", "activation", "activation", "conversion", "elementwise"));
  EXPECT_EQ(work.operations[1].unit, target::Unit::kNpuFloat);
  EXPECT_TRUE(written(work, 0).is_float);
  EXPECT_EQ(written(work, 3).bits, 8);
  // The sum reads the codes of x, not the float copy made for Exp.
  EXPECT_EQ(work.operations[4].inputs[1], work.inputs[0]);
}

TEST(Workload, ChannelsLastBordersNeedNoTranspose) {
  QdqModel model;
  model.input("x", {1, 6, 7, 3});
  const std::string x = model.pair("x", {1, 6, 7, 3});
  const std::string in =
      model.node("Transpose", {x}, {1, 3, 6, 7}, {{"perm", std::vector<std::int64_t>{0, 3, 1, 2}}});
  const std::string codes = model.pair(in, {1, 3, 6, 7});
  const std::string conv =
      model.node("Conv", {codes, model.weight("w", DType::kInt8, {8, 3, 1, 1})}, {1, 8, 6, 7});
  const std::string y = model.pair(conv, {1, 8, 6, 7});
  const std::string out =
      model.node("Transpose", {y}, {1, 6, 7, 8}, {{"perm", std::vector<std::int64_t>{0, 2, 3, 1}}});
  model.output(model.pair(out, {1, 6, 7, 8}));

  const Workload work = model.workload();
  EXPECT_THAT(kinds(work), ElementsAre("conversion", "convolution", "conversion"));
  const WorkTensor& input = work.tensors[static_cast<std::size_t>(work.inputs.at(0))];
  EXPECT_TRUE(input.channels_last);
  EXPECT_THAT(input.shape, ElementsAre(1, 3, 6, 7));
  EXPECT_TRUE(written(work, 0).channels_last);
  EXPECT_TRUE(written(work, 1).channels_last);
}

TEST(Workload, TransposesInsideAreWork) {
  QdqModel model;
  model.input("x", {1, 6, 7, 3}, DType::kUInt8);
  const std::string x = model.dequantize("x", {1, 6, 7, 3});
  const std::string sum = model.node("Add", {x, x}, {1, 6, 7, 3});
  const std::string y = model.pair(sum, {1, 6, 7, 3});
  const std::string moved =
      model.node("Transpose", {y}, {1, 3, 6, 7}, {{"perm", std::vector<std::int64_t>{0, 3, 1, 2}}});
  const std::string z = model.pair(moved, {1, 3, 6, 7});
  model.output(model.pair(model.node("Sigmoid", {z}, {1, 3, 6, 7}), {1, 3, 6, 7}));
  EXPECT_THAT(kinds(model.workload()),
              ElementsAre("elementwise", "mover", "activation", "conversion"));
}

TEST(Workload, UnknownShapesAndOperationsAreFindings) {
  test::GraphBuilder builder;
  builder.input("x", {1, 4}).node("NoSuchOperation", {"x"}, {"y"}, {1, 4});
  builder.node("Relu", {"y"}, {"z"}, {1, 4}).output("z");
  graph::Graph graph = builder.graph();
  graph.erase_type("z");
  target::PlacementReport placement;
  placement.nodes.push_back({"y", "NoSuchOperation", target::Unit::kNpuFloat, "", ""});
  const Workload work = make_workload(graph, placement);
  ASSERT_THAT(work.operations, SizeIs(1));
  EXPECT_EQ(work.operations[0].kind, WorkKind::kOther);
  ASSERT_THAT(work.findings, SizeIs(2));
  EXPECT_EQ(work.findings[0].id, "unknown-operation");
  EXPECT_EQ(work.findings[0].where, "y");
  EXPECT_EQ(work.findings[1].id, "shapes-unknown");
  EXPECT_EQ(work.findings[1].where, "z");
}

TEST(CountMacs, RecurrentLayers) {
  test::GraphBuilder builder;
  builder.input("x", {5, 2, 3}).constant("w", {1, 16, 3}).constant("r", {1, 16, 4});
  builder.node("LSTM", {"x", "w", "r"}, {"y"}, {5, 1, 2, 4}).output("y");
  const graph::Node& node = builder.graph().nodes().front();
  EXPECT_EQ(count_macs(node, {{5, 2, 3}, {1, 16, 3}, {1, 16, 4}}, {5, 1, 2, 4}),
            5 * 2 * 16 * (3 + 4));
}

}  // namespace
}  // namespace hexquant::perf
