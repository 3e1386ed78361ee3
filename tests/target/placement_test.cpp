#include "target/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/graph_builder.h"
#include "target/target.h"

namespace hexquant::target {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A QDQ model made pair by pair; scales are 0.5 unless said otherwise.
class Model {
 public:
  explicit Model(Shape shape) : shape_(std::move(shape)) {
    builder_.input("x", shape_).scalar("scale", 0.5F);
    last_ = "x";
  }

  Model& pair(DType type, int zero_point) {
    const std::string zero = constant(type, {}, zero_point);
    const std::string id = "q" + std::to_string(++count_);
    builder_.node("QuantizeLinear", {last_, "scale", zero}, {id}, shape_, {}, "", type)
        .node("DequantizeLinear", {id, "scale", zero}, {id + "_d"}, shape_);
    last_ = id + "_d";
    return *this;
  }
  /// Node with constant inputs behind the running value.
  Model& node(const std::string& op, const std::vector<std::string>& more = {},
              graph::Attributes attributes = {}) {
    std::vector<std::string> inputs = {last_};
    inputs.insert(inputs.end(), more.begin(), more.end());
    last_ = op + "_out";
    builder_.node(op, inputs, {last_}, shape_, std::move(attributes));
    return *this;
  }
  /// Zero codes behind a DequantizeLinear; scales along `axis`, or one.
  std::string weight(DType type, const Shape& shape, int axis = -1, int zero_point = 0) {
    const std::string name = "w" + std::to_string(++count_);
    const Shape layout = axis < 0 ? Shape{} : Shape{shape[static_cast<std::size_t>(axis)]};
    codes_.push_back({name, Tensor(type, shape)});
    const std::string zero = constant(type, layout, zero_point);
    std::vector<float> scales(static_cast<std::size_t>(element_count(layout)), 0.1F);
    codes_.push_back({name + "_scale", Tensor::from<float>(layout, scales)});
    builder_.node("DequantizeLinear", {name, name + "_scale", zero}, {name + "_d"}, shape,
                  {{"axis", static_cast<std::int64_t>(std::max(axis, 0))}});
    return name + "_d";
  }

  std::string ints(const std::vector<std::int64_t>& values) {
    const std::string name = "i" + std::to_string(++count_);
    builder_.int64s(name, values);
    return name;
  }

  PlacementReport predict(const std::string& soc = "SM8650") {
    builder_.output(last_);
    graph::Graph graph = builder_.graph();
    for (auto& [name, tensor] : codes_) graph.add_initializer(name, tensor);
    graph.sort();
    return predict_placement(load_target(soc).rules, graph);
  }

  const std::string& last() const { return last_; }

 private:
  std::string constant(DType type, const Shape& shape, int value) {
    const std::string name = "z" + std::to_string(++count_);
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)),
                              static_cast<float>(value));
    Tensor tensor(type, shape);
    if (type == DType::kUInt8)
      std::fill_n(tensor.mutable_data<std::uint8_t>().begin(), tensor.size(), value);
    if (type == DType::kInt8)
      std::fill_n(tensor.mutable_data<std::int8_t>().begin(), tensor.size(), value);
    if (type == DType::kUInt16)
      std::fill_n(tensor.mutable_data<std::uint16_t>().begin(), tensor.size(), value);
    if (type == DType::kInt16)
      std::fill_n(tensor.mutable_data<std::int16_t>().begin(), tensor.size(), value);
    codes_.push_back({name, tensor});
    return name;
  }

  test::GraphBuilder builder_;
  Shape shape_;
  std::string last_;
  int count_ = 0;
  std::vector<std::pair<std::string, Tensor>> codes_;
};

Unit unit_of(const PlacementReport& report, const std::string& node) {
  const Placement* placement = report.find(node);
  EXPECT_NE(placement, nullptr) << node;
  return placement == nullptr ? Unit::kFolded : placement->unit;
}

TEST(PredictPlacement, ConvWithImpliedReluIsInteger) {
  Model model({1, 16, 8, 8});
  model.pair(DType::kUInt8, 128);
  const std::string weight = model.weight(DType::kInt8, {16, 16, 1, 1}, 0);
  const PlacementReport report =
      model.node("Conv", {weight}).node("Relu").pair(DType::kUInt8, 0).predict();
  EXPECT_EQ(unit_of(report, "Conv_out"), Unit::kNpuInteger);
  EXPECT_EQ(unit_of(report, "Relu_out"), Unit::kNpuInteger);
  EXPECT_THAT(report.rejections, IsEmpty());
  EXPECT_THAT(report.findings, IsEmpty());
}

// The trap of a Relu that the encoding does not imply: six times slower, silently.
TEST(PredictPlacement, ConvWithAReluThatIsNotImpliedIsFloat) {
  Model model({1, 16, 8, 8});
  model.pair(DType::kUInt8, 128);
  const std::string weight = model.weight(DType::kInt8, {16, 16, 1, 1}, 0);
  const PlacementReport report =
      model.node("Conv", {weight}).node("Relu").pair(DType::kUInt8, 128).predict();
  EXPECT_EQ(unit_of(report, "Conv_out"), Unit::kNpuFloat);
  EXPECT_EQ(unit_of(report, "Relu_out"), Unit::kNpuFloat);
  EXPECT_THAT(report.find("Conv_out")->reason, HasSubstr("output is not quantized"));
  EXPECT_FALSE(report.find("Conv_out")->fix.empty());
}

TEST(PredictPlacement, ByteBiasMakesALayerFloat) {
  Model model({1, 16, 8, 8});
  model.pair(DType::kUInt8, 128);
  const std::string weight = model.weight(DType::kInt8, {16, 16, 1, 1}, 0);
  const std::string bias = model.weight(DType::kInt8, {16});
  const PlacementReport report =
      model.node("Conv", {weight, bias}).pair(DType::kUInt8, 128).predict();
  EXPECT_EQ(unit_of(report, "Conv_out"), Unit::kNpuFloat);
  EXPECT_THAT(report.find("Conv_out")->fix, HasSubstr("--bias-bits 32"));
}

TEST(PredictPlacement, RefusedConvRejectsTheModelUnlessSeenEarly) {
  Model asymmetric({1, 16, 8, 8});
  asymmetric.pair(DType::kUInt8, 128);
  const std::string shifted = asymmetric.weight(DType::kInt8, {16, 16, 1, 1}, 0, 1);
  const PlacementReport rejected =
      asymmetric.node("Conv", {shifted}).pair(DType::kUInt8, 128).predict();
  EXPECT_EQ(unit_of(rejected, "Conv_out"), Unit::kCpu);
  ASSERT_EQ(rejected.rejections.size(), 1U);
  EXPECT_EQ(rejected.rejections[0].node, "Conv_out");

  Model wrong_axis({1, 16, 8, 8});
  wrong_axis.pair(DType::kUInt8, 128);
  const std::string inputs = wrong_axis.weight(DType::kInt8, {16, 16, 1, 1}, 1);
  const PlacementReport accepted =
      wrong_axis.node("Conv", {inputs}).pair(DType::kUInt8, 128).predict();
  EXPECT_EQ(unit_of(accepted, "Conv_out"), Unit::kCpu);
  EXPECT_THAT(accepted.rejections, IsEmpty());
}

TEST(PredictPlacement, ScalesOnTheReductionAxisOfMatMulAreTakenAndWrong) {
  Model model({4, 16});
  model.pair(DType::kUInt8, 128);
  const std::string weight = model.weight(DType::kInt8, {16, 16}, 0);
  const PlacementReport report = model.node("MatMul", {weight}).pair(DType::kUInt8, 128).predict();
  EXPECT_EQ(unit_of(report, "MatMul_out"), Unit::kNpuInteger);
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].id, "computed-wrong");
  EXPECT_EQ(report.findings[0].where, "MatMul_out");
  EXPECT_THAT(report.findings[0].reason, HasSubstr("axis 0"));
}

TEST(PredictPlacement, Int16WeightsDependOnTheVersion) {
  for (const auto& [soc, unit] : {std::pair{"SM8450", Unit::kCpu}, {"SM8550", Unit::kNpuInteger}}) {
    Model model({4, 16});
    model.pair(DType::kUInt16, 32768);
    const std::string weight = model.weight(DType::kInt16, {16, 16}, 1);
    EXPECT_EQ(unit_of(model.node("MatMul", {weight}).pair(DType::kUInt16, 32768).predict(soc),
                      "MatMul_out"),
              unit)
        << soc;
  }
}

TEST(PredictPlacement, TheValueOfAPadIsNoActivation) {
  // Seen: the vendor's compiler takes Pad with a float constant 0 in integers (ResNet-20).
  Model model({1, 8, 4, 4});
  model.pair(DType::kUInt8, 0)
      .node("Pad", {model.ints({0, 0, 0, 0, 0, 0, 0, 0}), "scale"})
      .pair(DType::kUInt8, 0);
  EXPECT_EQ(model.predict().find("Pad_out")->unit, Unit::kNpuInteger);
}

TEST(PredictPlacement, BordersConvertsAndUnsupportedOperations) {
  Model model({4, 16});
  const PlacementReport report = model.pair(DType::kUInt8, 128)
                                     .pair(DType::kUInt16, 32768)
                                     .node("Erf")
                                     .pair(DType::kUInt16, 32768)
                                     .predict();
  EXPECT_EQ(unit_of(report, "q2"), Unit::kCpu);           // from the float input
  EXPECT_EQ(unit_of(report, "q2_d"), Unit::kNpuInteger);  // DQ8 -> Q16
  EXPECT_EQ(unit_of(report, "Erf_out"), Unit::kCpu);
  EXPECT_THAT(report.find("Erf_out")->reason, HasSubstr("CPU"));
}

TEST(PredictPlacement, FloatOnAChipWithoutFloatIsAnError) {
  Model model({4, 16});
  model.pair(DType::kUInt8, 128).node("Sigmoid");
  const PlacementReport report = model.predict("SM8350");
  EXPECT_EQ(unit_of(report, "Sigmoid_out"), Unit::kNpuFloat);
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].id, "no-float-on-this-chip");
  EXPECT_EQ(report.findings[0].severity, Severity::kError);
}

}  // namespace
}  // namespace hexquant::target
