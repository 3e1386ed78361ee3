#include "passes/recognise_layer_norm.h"

#include "passes/pattern_builder.h"

namespace hexquant::passes {
namespace {

using test::expect_applied;
using test::expect_untouched;
using test::kFloatRounding;
using test::only_node;
using test::PatternBuilder;
using test::random_floats;

constexpr std::int64_t kChannels = 12;

/// Which way a LayerNorm is written.
struct Form {
  bool product_square = false;    // Mul(d, d) for Pow(d, 2)
  bool second_sub = false;        // the numerator has its own mean and Sub
  std::string root = "sqrt-div";  // sqrt-div | reciprocal | one-over | pow-half | pow-minus-half
  bool swapped = false;           // operands of Add, Mul the other way round
  bool casts = false;             // neutral Casts after Sub and after the quotient
  bool scale = true;
  bool shift = true;
  std::vector<std::int64_t> axes{-1};
};

std::string commutative(PatternBuilder& b, const std::string& op, const std::string& left,
                        const std::string& right, bool swapped) {
  return swapped ? b.op(op, {right, left}) : b.op(op, {left, right});
}

std::string quotient(PatternBuilder& b, const Form& form, const std::string& numerator,
                     const std::string& variance) {
  if (form.root == "pow-minus-half") {
    return commutative(b, "Mul", numerator, b.op("Pow", {variance, b.scalar(-0.5F)}), form.swapped);
  }
  const std::string root =
      form.root == "pow-half" ? b.op("Pow", {variance, b.scalar(0.5F)}) : b.op("Sqrt", {variance});
  if (form.root == "reciprocal") {
    return commutative(b, "Mul", numerator, b.op("Reciprocal", {root}), form.swapped);
  }
  if (form.root == "one-over") {
    return commutative(b, "Mul", numerator, b.op("Div", {b.scalar(1.0F), root}), form.swapped);
  }
  return b.op("Div", {numerator, root});
}

std::string layer_norm(PatternBuilder& b, const Form& form, const Shape& normalized) {
  std::string d = b.op("Sub", {"x", b.mean("x", form.axes)});
  if (form.casts) d = b.cast(d);
  const std::string square =
      form.product_square ? b.op("Mul", {d, d}) : b.op("Pow", {d, b.scalar(2.0F)});
  const std::string variance =
      commutative(b, "Add", b.mean(square, form.axes), b.scalar(1e-3F), form.swapped);
  const std::string numerator = form.second_sub ? b.op("Sub", {"x", b.mean("x", form.axes)}) : d;
  std::string y = quotient(b, form, numerator, variance);
  if (form.casts) y = b.cast(y);
  if (form.scale) {
    y = commutative(b, "Mul", y, b.constant(random_floats(normalized, 7, 0.5F, 1.5F)),
                    form.swapped);
  }
  if (form.shift) {
    y = commutative(b, "Add", y, b.constant(random_floats(normalized, 8)), form.swapped);
  }
  return y;
}

graph::Graph layer_norm_graph(const Form& form, std::int64_t opset = 21) {
  PatternBuilder b({2, 3, kChannels}, opset);
  return b.finish(layer_norm(b, form, {kChannels}));
}

TEST(RecogniseLayerNorm, EveryUsualForm) {
  for (const char* root : {"sqrt-div", "reciprocal", "one-over", "pow-half", "pow-minus-half"}) {
    for (int bits = 0; bits < 16; ++bits) {
      Form form;
      form.root = root;
      form.product_square = (bits & 1) != 0;
      form.second_sub = (bits & 2) != 0;
      form.swapped = (bits & 4) != 0;
      form.casts = (bits & 8) != 0;
      SCOPED_TRACE(std::string(root) + " " + std::to_string(bits));
      const graph::Graph changed = expect_applied(layer_norm_graph(form), recognise_layer_norm);
      EXPECT_EQ(changed.nodes().size(), 1U);
      const graph::Node& node = only_node(changed, "LayerNormalization");
      EXPECT_EQ(node.int_attribute("axis", 0), -1);
      EXPECT_FLOAT_EQ(node.float_attribute("epsilon", 0.0F), 1e-3F);
      EXPECT_EQ(node.inputs().size(), 3U);
    }
  }
}

TEST(RecogniseLayerNorm, ScaleAndShiftAreOptional) {
  for (const bool scale : {false, true}) {
    for (const bool shift : {false, true}) {
      Form form;
      form.scale = scale;
      form.shift = shift;
      const graph::Graph changed = expect_applied(layer_norm_graph(form), recognise_layer_norm);
      const graph::Node& node = only_node(changed, "LayerNormalization");
      EXPECT_EQ(node.inputs().size(), shift ? 3U : 2U);
      EXPECT_EQ(changed.find_initializer(node.input(1))->shape(), Shape{kChannels});
    }
  }
}

TEST(RecogniseLayerNorm, AxesAsAttributeBeforeOpset18) {
  const graph::Graph changed = expect_applied(layer_norm_graph({}, 17), recognise_layer_norm);
  EXPECT_EQ(changed.nodes().size(), 1U);
}

TEST(RecogniseLayerNorm, SeveralTrailingAxes) {
  Form form;
  form.axes = {-1, -2};
  PatternBuilder b({2, 3, kChannels});
  const graph::Graph changed =
      expect_applied(b.finish(layer_norm(b, form, {3, kChannels})), recognise_layer_norm);
  EXPECT_EQ(only_node(changed, "LayerNormalization").int_attribute("axis", 0), -2);
}

TEST(RecogniseLayerNorm, PositiveAxisNeedsARank) {
  Form form;
  form.axes = {2};
  graph::Graph graph = layer_norm_graph(form);
  expect_untouched(graph, recognise_layer_norm);
  for (const graph::Node& node : graph.nodes()) {
    if (node.is("Pow")) graph.set_type(node.output(), *graph.find_type("x"));
  }
  expect_applied(graph, recognise_layer_norm);
}

TEST(RecogniseLayerNorm, ConstantsOfOtherShapesAreExpanded) {
  PatternBuilder b({2, 3, kChannels});
  Form form;
  form.scale = form.shift = false;
  const std::string y = layer_norm(b, form, {});
  const std::string scaled = b.op("Mul", {y, b.scalar(0.75F)});
  const std::string shifted =
      b.op("Add", {scaled, b.constant(random_floats({1, 1, kChannels}, 3))});
  const graph::Graph changed = expect_applied(b.finish(shifted), recognise_layer_norm);
  const graph::Node& node = only_node(changed, "LayerNormalization");
  EXPECT_EQ(changed.find_initializer(node.input(1))->shape(), Shape{kChannels});
  EXPECT_EQ(changed.find_initializer(node.input(2))->shape(), Shape{kChannels});
}

TEST(RecogniseLayerNorm, FactorAlongAnotherAxisStaysOutside) {
  PatternBuilder b({2, 3, kChannels});
  Form form;
  form.scale = form.shift = false;
  const std::string y = layer_norm(b, form, {});
  const graph::Graph changed = expect_applied(
      b.finish(b.op("Mul", {y, b.constant(random_floats({3, 1}, 3))})), recognise_layer_norm);
  EXPECT_EQ(changed.nodes().size(), 2U);
}

TEST(RecogniseLayerNorm, ConstantOfHigherRankStaysOutside) {
  PatternBuilder b({2, 3, kChannels});
  Form form;
  form.scale = form.shift = false;
  const std::string y = layer_norm(b, form, {});
  const graph::Graph changed =
      expect_applied(b.finish(b.op("Mul", {y, b.constant(random_floats({1, 1, 1, kChannels}, 3))})),
                     recognise_layer_norm);
  EXPECT_EQ(changed.nodes().size(), 2U);  // the product has rank 4
}

TEST(RecogniseLayerNorm, SharedScaleKeepsItsOtherReader) {
  PatternBuilder b({2, 3, kChannels});
  Form form;
  form.shift = false;
  const std::string y = layer_norm(b, form, {kChannels});
  const std::string gamma = b.graph.producer(y)->input(1);
  const graph::Graph changed =
      expect_applied(b.finish(b.op("Add", {y, b.op("Mul", {"x", gamma})})), recognise_layer_norm);
  EXPECT_EQ(changed.nodes().size(), 3U);
}

/// What is wrong in a form of TensorFlow.
enum class Flaw { kNone, kOtherSquare, kOtherMean };

/// y = x*r + (shift - mean*r), r = [scale *] 1/sqrt(..), as TensorFlow writes it.
graph::Graph folded_form(bool scale, Flaw flaw = Flaw::kNone) {
  PatternBuilder b({2, 3, kChannels});
  const std::string mean = b.mean("x");
  const std::string d = b.op("Sub", {"x", mean});
  const std::string square =
      flaw == Flaw::kOtherSquare ? b.op("Mul", {"x", "x"}) : b.op("Mul", {d, d});
  const std::string variance = b.op("Add", {b.mean(square), b.scalar(1e-3F)});
  std::string r = b.op("Reciprocal", {b.op("Sqrt", {variance})});
  if (scale) r = b.op("Mul", {r, b.constant(random_floats({kChannels}, 7, 0.5F, 1.5F))});
  const std::string taken = flaw == Flaw::kOtherMean ? b.mean("x", {-2}) : mean;
  const std::string offset =
      b.op("Sub", {b.constant(random_floats({kChannels}, 8)), b.op("Mul", {taken, r})});
  std::string y = b.op("Add", {b.op("Mul", {"x", r}), offset});
  if (flaw == Flaw::kOtherSquare) y = b.op("Add", {y, d});
  return b.finish(y);
}

TEST(RecogniseLayerNorm, FormOfTensorFlow) {
  for (const bool scale : {false, true}) {
    const graph::Graph changed = expect_applied(folded_form(scale), recognise_layer_norm);
    EXPECT_EQ(changed.nodes().size(), 1U);
  }
  expect_untouched(folded_form(true, Flaw::kOtherSquare), recognise_layer_norm);
  expect_untouched(folded_form(true, Flaw::kOtherMean), recognise_layer_norm);
}

TEST(RecogniseLayerNorm, InnerValueWithAnotherReader) {
  for (const char* inner : {"Sub", "Sqrt", "Pow"}) {
    PatternBuilder b({2, 3, kChannels});
    Form form;
    const std::string y = layer_norm(b, form, {kChannels});
    const std::string extra = only_node(b.graph, inner).output();
    graph::Graph graph = b.finish(b.op("Add", {y, extra}));
    const Findings findings = expect_untouched(graph, recognise_layer_norm);
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_NE(findings[0].reason.find(extra), std::string::npos);
  }
}

TEST(RecogniseLayerNorm, InnerValueAsGraphOutput) {
  graph::Graph graph = layer_norm_graph({});
  graph.add_output(only_node(graph, "Sub").output());
  EXPECT_EQ(expect_untouched(graph, recognise_layer_norm).size(), 1U);
}

TEST(RecogniseLayerNorm, OtherFunctionsStay) {
  PatternBuilder wrong_axis({2, 3, kChannels});
  Form form;
  form.axes = {-2};
  expect_untouched(wrong_axis.finish(layer_norm(wrong_axis, form, {kChannels})),
                   recognise_layer_norm);

  PatternBuilder cube({2, 3, kChannels});
  const std::string d = cube.op("Sub", {"x", cube.mean("x")});
  const std::string third = cube.mean(cube.op("Pow", {d, cube.scalar(3.0F)}));
  const std::string sum = cube.op("Add", {third, cube.scalar(9.0F)});
  expect_untouched(cube.finish(cube.op("Div", {d, cube.op("Sqrt", {sum})})), recognise_layer_norm);

  PatternBuilder mixed({2, 3, kChannels});  // centred on one axis, scaled by another
  const std::string centred = mixed.op("Sub", {"x", mixed.mean("x", {-2})});
  const std::string square = mixed.mean(mixed.op("Mul", {centred, centred}), {-1});
  const std::string root = mixed.op("Sqrt", {mixed.op("Add", {square, mixed.scalar(1e-3F)})});
  expect_untouched(mixed.finish(mixed.op("Div", {centred, root})), recognise_layer_norm);

  PatternBuilder half({2, 3, kChannels});  // only the squared part is centred
  const std::string inner = half.op("Sub", {"x", half.mean("x")});
  const std::string v =
      half.op("Add", {half.mean(half.op("Mul", {inner, inner})), half.scalar(1e-3F)});
  expect_untouched(half.finish(half.op("Div", {"x", half.op("Sqrt", {v})})), recognise_layer_norm);
}

TEST(RecogniseLayerNorm, ReportsBelowOpset17) {
  const Findings findings = expect_untouched(layer_norm_graph({}, 16), recognise_layer_norm);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].id, "layer-norm-not-recognised");
}

TEST(RecogniseLayerNorm, UnknownSizeOfTheNormalizedAxis) {
  graph::Graph graph = layer_norm_graph({});
  graph.set_type("x", test::value_type(DType::kFloat32, {{2, ""}, {3, ""}, test::symbol("C")}));
  expect_untouched(graph, recognise_layer_norm);
}

}  // namespace
}  // namespace hexquant::passes
