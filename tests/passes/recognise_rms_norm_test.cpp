#include "passes/recognise_rms_norm.h"

#include "passes/pattern_builder.h"

namespace hexquant::passes {
namespace {

using test::expect_applied;
using test::expect_untouched;
using test::only_node;
using test::PatternBuilder;
using test::random_floats;

constexpr std::int64_t kChannels = 12;

/// x / sqrt(mean(x^2) + 1e-3) [* scale], with `quotient` = div | reciprocal | one-over | pow.
std::string rms_norm(PatternBuilder& b, const std::string& quotient, bool product_square,
                     bool scale, const std::vector<std::int64_t>& axes = {-1}) {
  const std::string square =
      product_square ? b.op("Mul", {"x", "x"}) : b.op("Pow", {"x", b.scalar(2.0F)});
  const std::string sum = b.op("Add", {b.mean(square, axes), b.scalar(1e-3F)});
  std::string y;
  if (quotient == "pow") {
    y = b.op("Mul", {b.op("Pow", {sum, b.scalar(-0.5F)}), "x"});
  } else {
    const std::string root = b.op("Sqrt", {sum});
    if (quotient == "div") y = b.op("Div", {"x", root});
    if (quotient == "reciprocal") y = b.op("Mul", {"x", b.op("Reciprocal", {root})});
    if (quotient == "one-over") y = b.op("Mul", {"x", b.op("Div", {b.scalar(1.0F), root})});
  }
  if (!scale) return y;
  return b.op("Mul", {b.constant(random_floats({kChannels}, 7, 0.5F, 1.5F)), y});
}

graph::Graph rms_graph(const std::string& quotient, bool product_square, bool scale,
                       std::int64_t opset = 21) {
  PatternBuilder b({2, 3, kChannels}, opset);
  return b.finish(rms_norm(b, quotient, product_square, scale));
}

TEST(RecogniseRmsNorm, EveryUsualForm) {
  for (const char* quotient : {"div", "reciprocal", "one-over", "pow"}) {
    for (const bool product_square : {false, true}) {
      for (const bool scale : {false, true}) {
        SCOPED_TRACE(std::string(quotient) + (product_square ? " mul" : " pow") +
                     (scale ? " scale" : ""));
        const graph::Graph changed =
            expect_applied(rms_graph(quotient, product_square, scale), recognise_rms_norm);
        EXPECT_EQ(changed.nodes().size(), 1U);
        const graph::Node& node = only_node(changed, "SimplifiedLayerNormalization");
        EXPECT_EQ(node.int_attribute("axis", 0), -1);
        EXPECT_FLOAT_EQ(node.float_attribute("epsilon", 0.0F), 1e-3F);
        EXPECT_EQ(changed.find_initializer(node.input(1))->shape(), Shape{kChannels});
      }
    }
  }
}

TEST(RecogniseRmsNorm, OpsetDecidesTheOperation) {
  expect_applied(rms_graph("div", false, true, 13), recognise_rms_norm);
  const graph::Graph changed =
      expect_applied(rms_graph("div", false, true, 23), recognise_rms_norm);
  only_node(changed, "RMSNormalization");
}

TEST(RecogniseRmsNorm, NeutralCasts) {
  PatternBuilder b({2, 3, kChannels});
  const std::string wide = b.op("Cast", {"x"}, {{"to", std::int64_t{1}}});
  const std::string square = b.op("Pow", {wide, b.scalar(2.0F)});
  const std::string sum = b.op("Add", {b.mean(square), b.scalar(1e-3F)});
  const std::string y = b.op("Div", {wide, b.op("Sqrt", {sum})});
  const std::string scaled = b.op("Mul", {b.cast(y), b.constant(random_floats({kChannels}, 7))});
  const graph::Graph changed = expect_applied(b.finish(scaled), recognise_rms_norm);
  EXPECT_EQ(changed.nodes().size(), 1U);
}

TEST(RecogniseRmsNorm, ACastThatOthersReadStays) {
  PatternBuilder b({2, 3, kChannels});
  const std::string wide = b.op("Cast", {"x"}, {{"to", std::int64_t{1}}});
  const std::string square = b.op("Pow", {wide, b.scalar(2.0F)});
  const std::string sum = b.op("Add", {b.mean(square), b.scalar(1e-3F)});
  const std::string y = b.op("Div", {wide, b.op("Sqrt", {sum})});
  const graph::Graph changed = expect_applied(b.finish(b.op("Add", {y, wide})), recognise_rms_norm);
  EXPECT_EQ(changed.nodes().size(), 3U);
}

TEST(RecogniseRmsNorm, OtherFunctionsStay) {
  PatternBuilder wrong_axis({2, 3, kChannels});
  expect_untouched(wrong_axis.finish(rms_norm(wrong_axis, "div", true, false, {-2})),
                   recognise_rms_norm);

  PatternBuilder other({2, 3, kChannels});  // scales another tensor
  const std::string sum =
      other.op("Add", {other.mean(other.op("Mul", {"x", "x"})), other.scalar(1e-3F)});
  const std::string half = other.op("Mul", {"x", other.scalar(0.5F)});
  expect_untouched(other.finish(other.op("Div", {half, other.op("Sqrt", {sum})})),
                   recognise_rms_norm);

  PatternBuilder dropped({3, 3, 3});  // keepdims = 0: divides along another axis
  const std::string mean = dropped.mean(dropped.op("Mul", {"x", "x"}), {-1}, 0);
  const std::string root = dropped.op("Sqrt", {dropped.op("Add", {mean, dropped.scalar(1e-3F)})});
  expect_untouched(dropped.finish(dropped.op("Div", {"x", root})), recognise_rms_norm);
}

TEST(RecogniseRmsNorm, InnerValueWithAnotherReader) {
  PatternBuilder b({2, 3, kChannels});
  const std::string y = rms_norm(b, "div", false, true);
  const std::string root = only_node(b.graph, "Sqrt").output();
  const graph::Graph graph = b.finish(b.op("Add", {y, root}));
  ASSERT_EQ(expect_untouched(graph, recognise_rms_norm).size(), 1U);
}

}  // namespace
}  // namespace hexquant::passes
