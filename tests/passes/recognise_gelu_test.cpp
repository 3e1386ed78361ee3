#include "passes/recognise_gelu.h"

#include <functional>

#include "passes/pattern_builder.h"

namespace hexquant::passes {
namespace {

using test::expect_applied;
using test::expect_untouched;
using test::only_node;
using test::PatternBuilder;

const Shape kShape{2, 3, 8};

std::string erf_of(PatternBuilder& b, bool divide = true, float root = 1.41421356F) {
  const std::string argument =
      divide ? b.op("Div", {"x", b.scalar(root)}) : b.op("Mul", {"x", b.scalar(1.0F / root)});
  return b.op("Erf", {argument});
}

std::string tanh_of(PatternBuilder& b, int form) {
  const float factor = 0.7978845608F;
  std::string sum;
  if (form == 0) {  // sqrt(2/pi) * (x + 0.044715 x^3)
    sum =
        b.op("Add", {"x", b.op("Mul", {b.op("Pow", {"x", b.scalar(3.0F)}), b.scalar(0.044715F)})});
    return b.op("Tanh", {b.op("Mul", {b.scalar(factor), sum})});
  }
  if (form == 1) {  // the cube as two products
    const std::string cube = b.op("Mul", {b.op("Mul", {"x", "x"}), "x"});
    sum = b.op("Add", {"x", b.op("Mul", {b.scalar(0.044715F), cube})});
    return b.op("Tanh", {b.op("Mul", {sum, b.scalar(factor)})});
  }
  // x * sqrt(2/pi) * (1 + 0.044715 x^2)
  sum = b.op("Add", {b.op("Mul", {b.op("Mul", {"x", "x"}), b.scalar(0.044715F)}), b.scalar(1.0F)});
  return b.op("Tanh", {b.op("Mul", {b.op("Mul", {"x", b.scalar(factor)}), sum})});
}

/// The usual ways to make x * 0.5 * (1 + t).
std::string product(PatternBuilder& b, const std::string& t, int order) {
  const auto half = [&] { return b.scalar(0.5F); };
  if (order == 5) return b.op("Mul", {"x", b.op("Add", {b.op("Mul", {t, half()}), half()})});
  if (order == 6) {
    return b.op("Mul", {half(), b.op("Add", {"x", b.op("Mul", {"x", t})})});
  }
  const std::string sum = b.op("Add", order == 4 ? std::vector<std::string>{b.scalar(1.0F), t}
                                                 : std::vector<std::string>{t, b.scalar(1.0F)});
  if (order == 0) return b.op("Mul", {b.op("Mul", {"x", sum}), half()});
  if (order == 1) return b.op("Mul", {b.op("Mul", {"x", half()}), sum});
  if (order == 2) return b.op("Mul", {"x", b.op("Mul", {half(), sum})});
  if (order == 3) return b.op("Div", {b.op("Mul", {sum, "x"}), b.scalar(2.0F)});
  return b.op("Mul", {half(), b.op("Mul", {sum, "x"})});
}
constexpr int kOrders = 7;

TEST(RecogniseGelu, ErfFormInEveryOrder) {
  for (int order = 0; order < kOrders; ++order) {
    for (const bool divide : {false, true}) {
      SCOPED_TRACE(order);
      PatternBuilder b(kShape);
      const std::string y = product(b, erf_of(b, divide), order);
      const graph::Graph changed = expect_applied(b.finish(y), recognise_gelu);
      EXPECT_EQ(changed.nodes().size(), 1U);
      EXPECT_EQ(only_node(changed, "Gelu").string_attribute("approximate", ""), "none");
    }
  }
}

TEST(RecogniseGelu, TanhFormInEveryOrder) {
  for (int order = 0; order < kOrders; ++order) {
    for (int form = 0; form < 3; ++form) {
      SCOPED_TRACE(order * 10 + form);
      PatternBuilder b(kShape);
      const std::string y = product(b, tanh_of(b, form), order);
      const graph::Graph changed = expect_applied(b.finish(y), recognise_gelu);
      EXPECT_EQ(changed.nodes().size(), 1U);
      EXPECT_EQ(only_node(changed, "Gelu").string_attribute("approximate", ""), "tanh");
    }
  }
}

TEST(RecogniseGelu, ConstantsWithFiveDigits) {
  PatternBuilder b(kShape);
  const std::string y = product(b, erf_of(b, true, 1.4142F), 0);
  // 1e-5 off in the argument: erf changes by at most that.
  expect_applied(b.finish(y), recognise_gelu, 1, 3e-5);
}

TEST(RecogniseGelu, InputThatIsItselfASum) {
  PatternBuilder b(kShape);
  const std::string shifted = b.op("Add", {"x", b.scalar(0.25F)});
  const std::string t = b.op("Erf", {b.op("Mul", {shifted, b.scalar(0.70710678F)})});
  const std::string sum = b.op("Add", {t, b.scalar(1.0F)});
  const std::string y = b.op("Mul", {b.op("Mul", {shifted, sum}), b.scalar(0.5F)});
  const graph::Graph changed = expect_applied(b.finish(y), recognise_gelu);
  EXPECT_EQ(changed.nodes().size(), 2U);
}

TEST(RecogniseGelu, TwoInARow) {
  PatternBuilder b(kShape);
  const std::string first = product(b, erf_of(b), 1);
  const std::string t = b.op("Erf", {b.op("Div", {first, b.scalar(1.41421356F)})});
  const std::string sum = b.op("Add", {t, b.scalar(1.0F)});
  const std::string y = b.op("Mul", {b.op("Mul", {first, b.scalar(0.5F)}), sum});
  const graph::Graph changed = expect_applied(b.finish(y), recognise_gelu, 2);
  EXPECT_EQ(changed.nodes().size(), 2U);
}

TEST(RecogniseGelu, BelowOpset20) {
  PatternBuilder erf(kShape, 13);
  const graph::Graph changed =
      expect_applied(erf.finish(product(erf, erf_of(erf), 0)), recognise_gelu);
  EXPECT_EQ(only_node(changed, "Gelu").domain(), "com.microsoft");
  EXPECT_EQ(changed.opsets.at("com.microsoft"), 1);

  PatternBuilder tanh(kShape, 13);
  const graph::Graph graph = tanh.finish(product(tanh, tanh_of(tanh, 0), 0));
  EXPECT_EQ(expect_untouched(graph, recognise_gelu).size(), 1U);
}

TEST(RecogniseGelu, WrongConstantsStay) {
  PatternBuilder root(kShape);
  expect_untouched(root.finish(product(root, erf_of(root, true, 1.5F), 0)), recognise_gelu);

  PatternBuilder one(kShape);
  const std::string sum = one.op("Add", {erf_of(one), one.scalar(2.0F)});
  expect_untouched(one.finish(one.op("Mul", {one.op("Mul", {"x", sum}), one.scalar(0.5F)})),
                   recognise_gelu);

  PatternBuilder half(kShape);
  const std::string plus = half.op("Add", {erf_of(half), half.scalar(1.0F)});
  expect_untouched(half.finish(half.op("Mul", {half.op("Mul", {"x", plus}), half.scalar(0.25F)})),
                   recognise_gelu);
}

TEST(RecogniseGelu, AnotherFactorStays) {
  PatternBuilder b(kShape);
  const std::string other = b.op("Neg", {b.op("Relu", {"x"})});
  const std::string sum = b.op("Add", {erf_of(b), b.scalar(1.0F)});
  expect_untouched(b.finish(b.op("Mul", {b.op("Mul", {other, sum}), b.scalar(0.5F)})),
                   recognise_gelu);
}

TEST(RecogniseGelu, InnerValueWithAnotherReader) {
  PatternBuilder b(kShape);
  const std::string y = product(b, erf_of(b), 1);  // x * 0.5 is computed apart
  const std::string half = b.graph.producer(y)->input(0);
  const graph::Graph graph = b.finish(b.op("Add", {y, half}));
  EXPECT_EQ(expect_untouched(graph, recognise_gelu).size(), 1U);

  PatternBuilder direct(kShape);
  const std::string t = erf_of(direct);
  const std::string z = product(direct, t, 0);
  expect_untouched(direct.finish(direct.op("Add", {z, t})), recognise_gelu);
}

}  // namespace
}  // namespace hexquant::passes
