#include "passes/recognise_hard_swish.h"

#include "passes/pattern_builder.h"

namespace hexquant::passes {
namespace {

using test::expect_applied;
using test::expect_untouched;
using test::only_node;
using test::PatternBuilder;

const Shape kShape{2, 4, 3, 3};
const std::vector<std::string> kClamps{"clip",    "clip-attributes", "min-max",
                                       "max-min", "min-relu",        "relu-min"};

std::string clamp(PatternBuilder& b, const std::string& form, const std::string& value,
                  float high = 6.0F) {
  const auto zero = [&] { return b.scalar(0.0F); };
  if (form == "clip") return b.op("Clip", {value, zero(), b.scalar(high)});
  if (form == "clip-attributes") return b.op("Clip", {value}, {{"min", 0.0F}, {"max", high}});
  if (form == "min-max") return b.op("Min", {b.op("Max", {value, zero()}), b.scalar(high)});
  if (form == "max-min") return b.op("Max", {zero(), b.op("Min", {value, b.scalar(high)})});
  if (form == "min-relu") return b.op("Min", {b.scalar(high), b.op("Relu", {value})});
  return b.op("Relu", {b.op("Min", {value, b.scalar(high)})});
}

std::string shifted(PatternBuilder& b, float shift = 3.0F) {
  return b.op("Add", {"x", b.scalar(shift, {1})});
}

std::int64_t opset_of(const std::string& form) {
  return form == "clip-attributes" ? 10 : 21;
}

TEST(RecogniseHardSwish, EveryClampAndOrder) {
  for (const std::string& form : kClamps) {
    if (form == "clip-attributes") continue;  // HardSwish came later; see BelowOpset14
    for (int order = 0; order < 4; ++order) {
      SCOPED_TRACE(form + " " + std::to_string(order));
      PatternBuilder b(kShape);
      const std::string t = clamp(b, form, shifted(b));
      std::string y;
      if (order == 0) y = b.op("Div", {b.op("Mul", {"x", t}), b.scalar(6.0F)});
      if (order == 1) y = b.op("Mul", {b.op("Mul", {t, "x"}), b.scalar(1.0F / 6.0F)});
      if (order == 2) y = b.op("Mul", {"x", b.op("Div", {t, b.scalar(6.0F)})});
      if (order == 3) y = b.op("Mul", {b.op("Div", {"x", b.scalar(6.0F)}), t});
      const graph::Graph changed = expect_applied(b.finish(y), recognise_hard_swish);
      EXPECT_EQ(changed.nodes().size(), 1U);
      only_node(changed, "HardSwish");
    }
  }
}

TEST(RecogniseHardSwish, HardSigmoidTimesX) {
  PatternBuilder b(kShape);
  const std::string t = b.op("HardSigmoid", {"x"}, {{"alpha", 1.0F / 6.0F}, {"beta", 0.5F}});
  const graph::Graph changed =
      expect_applied(b.finish(b.op("Mul", {"x", t})), recognise_hard_swish);
  EXPECT_EQ(changed.nodes().size(), 1U);
  only_node(changed, "HardSwish");

  PatternBuilder other(kShape);  // ONNX's default slope 0.2 is not HardSwish
  const std::string fifth = other.op("HardSigmoid", {"x"});
  expect_untouched(other.finish(other.op("Mul", {"x", fifth})), recognise_hard_swish);
}

TEST(RecogniseHardSwish, HardSigmoidAlone) {
  for (const std::string& form : kClamps) {
    SCOPED_TRACE(form);
    PatternBuilder b(kShape, opset_of(form));
    const std::string y = b.op("Div", {clamp(b, form, shifted(b)), b.scalar(6.0F)});
    const graph::Graph changed = expect_applied(b.finish(y), recognise_hard_swish);
    EXPECT_EQ(changed.nodes().size(), 1U);
    const graph::Node& node = only_node(changed, "HardSigmoid");
    EXPECT_FLOAT_EQ(node.float_attribute("alpha", 0.0F), 1.0F / 6.0F);
    EXPECT_FLOAT_EQ(node.float_attribute("beta", 0.0F), 0.5F);
  }
}

TEST(RecogniseHardSwish, HardSigmoidBoundedByOne) {
  for (const float alpha : {0.2F, 1.0F / 6.0F}) {
    PatternBuilder b(kShape);
    const std::string line = b.op("Add", {b.op("Mul", {"x", b.scalar(alpha)}), b.scalar(0.5F)});
    const graph::Graph changed =
        expect_applied(b.finish(clamp(b, "clip", line, 1.0F)), recognise_hard_swish);
    EXPECT_EQ(changed.nodes().size(), 1U);
    EXPECT_FLOAT_EQ(only_node(changed, "HardSigmoid").float_attribute("alpha", 0.0F), alpha);
  }
}

TEST(RecogniseHardSwish, HardSigmoidOfOneTensorTimesAnother) {
  PatternBuilder b(kShape);
  const std::string gate = b.op("Div", {clamp(b, "clip", shifted(b)), b.scalar(6.0F)});
  const graph::Graph changed =
      expect_applied(b.finish(b.op("Mul", {b.op("Neg", {"x"}), gate})), recognise_hard_swish);
  only_node(changed, "HardSigmoid");
  EXPECT_EQ(changed.nodes().size(), 3U);
}

TEST(RecogniseHardSwish, InputThatIsItselfASum) {
  PatternBuilder b(kShape);
  const std::string affine = b.op("Add", {b.op("Mul", {"x", b.scalar(1.4F)}), b.scalar(0.6F)});
  const std::string t = clamp(b, "clip", b.op("Add", {affine, b.scalar(3.0F)}));
  const std::string y = b.op("Div", {b.op("Mul", {affine, t}), b.scalar(6.0F)});
  const graph::Graph changed = expect_applied(b.finish(y), recognise_hard_swish);
  EXPECT_EQ(changed.nodes().size(), 3U);
}

TEST(RecogniseHardSwish, BelowOpset14) {
  PatternBuilder b(kShape, 10);
  const std::string t = b.op("Div", {clamp(b, "clip-attributes", shifted(b)), b.scalar(6.0F)});
  const graph::Graph original = b.finish(b.op("Mul", {"x", t}));
  const graph::Graph changed = expect_applied(original, recognise_hard_swish);
  only_node(changed, "HardSigmoid");
  graph::Graph again = original;
  EXPECT_EQ(recognise_hard_swish(again).findings.size(), 1U);
}

TEST(RecogniseHardSwish, WrongConstantsStay) {
  const auto build = [](float shift, float high, float divisor) {
    PatternBuilder b(kShape);
    const std::string t = clamp(b, "clip", shifted(b, shift), high);
    return b.finish(b.op("Div", {b.op("Mul", {"x", t}), b.scalar(divisor)}));
  };
  expect_applied(build(3.0F, 6.0F, 6.0F), recognise_hard_swish);
  expect_untouched(build(2.0F, 6.0F, 6.0F), recognise_hard_swish);
  expect_untouched(build(3.0F, 5.0F, 6.0F), recognise_hard_swish);
  expect_untouched(build(3.0F, 6.0F, 5.0F), recognise_hard_swish);

  PatternBuilder lower(kShape);  // clamp from 1, not 0
  const std::string t = lower.op("Clip", {shifted(lower), lower.scalar(1.0F), lower.scalar(6.0F)});
  expect_untouched(lower.finish(lower.op("Div", {lower.op("Mul", {"x", t}), lower.scalar(6.0F)})),
                   recognise_hard_swish);

  PatternBuilder relu6(kShape);  // a bare ReLU6 stays what it is
  expect_untouched(relu6.finish(clamp(relu6, "clip", "x")), recognise_hard_swish);
}

TEST(RecogniseHardSwish, InnerValueWithAnotherReader) {
  PatternBuilder b(kShape);
  const std::string sum = shifted(b);
  const std::string t = clamp(b, "clip", sum);
  const std::string y = b.op("Div", {b.op("Mul", {"x", t}), b.scalar(6.0F)});
  const graph::Graph graph = b.finish(b.op("Add", {y, sum}));
  EXPECT_EQ(expect_untouched(graph, recognise_hard_swish).size(), 1U);

  PatternBuilder clamped(kShape);
  const std::string u = clamp(clamped, "clip", shifted(clamped));
  const std::string z = clamped.op("Div", {clamped.op("Mul", {"x", u}), clamped.scalar(6.0F)});
  expect_untouched(clamped.finish(clamped.op("Add", {z, u})), recognise_hard_swish);
}

}  // namespace
}  // namespace hexquant::passes
