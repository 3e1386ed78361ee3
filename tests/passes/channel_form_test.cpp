#include "passes/infer_shapes.h"
#include "passes/pad_channels.h"
#include "passes/pattern_builder.h"
#include "passes/prelu_to_relu.h"
#include "passes/space_to_depth_stem.h"

namespace hexquant::passes {
namespace {

using test::expect_applied;
using test::expect_untouched;
using test::PatternBuilder;
using test::random_floats;
using Ints = std::vector<std::int64_t>;

bool always(const graph::Graph& /*before*/, const graph::Graph& /*after*/) {
  return true;
}
bool never(const graph::Graph& /*before*/, const graph::Graph& /*after*/) {
  return false;
}

PassReport stem(graph::Graph& graph) {
  return space_to_depth_stem(graph, always);
}
PassReport pad(graph::Graph& graph) {
  return pad_channels(graph, always);
}

graph::Graph typed(graph::Graph graph) {
  (void)infer_shapes(graph, {});
  return graph;
}

graph::Graph strided(const Shape& image, const Shape& weight, const graph::Attributes& attributes) {
  PatternBuilder b(image);
  return typed(b.finish(
      b.op("Conv",
           {"x", b.constant(random_floats(weight, 3)), b.constant(random_floats({weight[0]}, 4))},
           attributes)));
}

TEST(SpaceToDepthStem, EveryKernelAndPadding) {
  for (const std::int64_t kernel : {2, 3, 4, 5, 7}) {
    for (const Ints& pads :
         {Ints{0, 0, 0, 0}, Ints{1, 1, 1, 1}, Ints{3, 2, 3, 3}, Ints{0, 0, 1, 1}}) {
      const graph::Graph original = strided({-1, 3, 12, 16}, {5, 3, kernel, kernel},
                                            {{"strides", Ints{2, 2}}, {"pads", pads}});
      graph::Graph probe = original;
      const bool fits = !stem(probe).applied_to.empty();
      if (!fits) continue;
      const graph::Graph changed = expect_applied(original, stem);
      EXPECT_EQ(test::count_nodes(changed, "SpaceToDepth"), 1);
      EXPECT_EQ(test::only_node(changed, "Conv").ints_attribute("strides", {}), (Ints{1, 1}));
    }
  }
  const graph::Graph patches =
      expect_applied(strided({1, 3, 16, 16}, {8, 3, 4, 4}, {{"strides", Ints{4, 4}}}), stem);
  EXPECT_EQ(test::only_node(patches, "Conv").ints_attribute("kernel_shape", {}), (Ints{1, 1}));
}

TEST(SpaceToDepthStem, TheUsualStemFits) {
  expect_applied(
      strided({1, 3, 32, 32}, {8, 3, 3, 3}, {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}}),
      stem);
  expect_applied(
      strided({1, 3, 32, 32}, {8, 3, 7, 7}, {{"strides", Ints{2, 2}}, {"pads", Ints{3, 3, 3, 3}}}),
      stem);
}

TEST(SpaceToDepthStem, LeavesOthersAlone) {
  const graph::Attributes two = {{"strides", Ints{2, 2}}};
  expect_untouched(strided({1, 3, 13, 16}, {4, 3, 3, 3}, two), stem);  // 13 is odd
  expect_untouched(strided({1, 16, 12, 16}, {4, 16, 3, 3}, two), stem);
  expect_untouched(strided({1, 3, 12, 16}, {4, 3, 3, 3}, {}), stem);
  expect_untouched(
      strided({1, 3, 12, 16}, {4, 3, 3, 3}, {{"strides", Ints{2, 2}}, {"dilations", Ints{2, 2}}}),
      stem);
  expect_untouched(
      strided({1, 2, 12, 16}, {4, 1, 3, 3}, {{"strides", Ints{2, 2}}, {"group", std::int64_t{2}}}),
      stem);
  graph::Graph graph = strided({1, 3, 12, 16}, {4, 3, 3, 3}, two);
  const PassReport report = space_to_depth_stem(graph, never);
  EXPECT_TRUE(report.applied_to.empty());
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].id, "space-to-depth-does-not-pay");
}

TEST(SpaceToDepthStem, WouldChangeTheOutput) {
  // Blocks with the weights in their old order give other numbers.
  const graph::Graph original = strided({1, 1, 4, 4}, {1, 1, 2, 2}, {{"strides", Ints{2, 2}}});
  graph::Graph wrong = expect_applied(original, stem);
  const graph::Node& conv = test::only_node(wrong, "Conv");
  const Tensor weight = *wrong.find_initializer(conv.input(1));
  const auto w = weight.data<float>();
  wrong.set_initializer(conv.input(1), test::floats(weight.shape(), {w[0], w[2], w[1], w[3]}));
  const auto feeds = test::random_feeds(original, 6);
  EXPECT_GT(test::largest_difference(test::run_graph(original, feeds)[0],
                                     test::run_graph(wrong, feeds)[0]),
            1e-2);
}

/// Conv(24) -> Relu -> [depthwise] -> Conv
graph::Graph narrow(bool depthwise, const std::string& activation = "Relu",
                    std::int64_t channels = 24) {
  PatternBuilder b({1, 4, 6, 6});
  std::string v = b.op("Conv", {"x", b.constant(random_floats({channels, 4, 1, 1}, 1)),
                                b.constant(random_floats({channels}, 2))});
  v = b.op(activation, {v});
  if (depthwise) {
    v = b.op("Conv",
             {v, b.constant(random_floats({channels, 1, 3, 3}, 3)),
              b.constant(random_floats({channels}, 4))},
             {{"group", channels}, {"pads", Ints{1, 1, 1, 1}}});
  }
  v = b.op("Conv", {v, b.constant(random_floats({5, channels, 3, 3}, 5))});
  return typed(b.finish(v));
}

TEST(PadChannels, FillsGroupsOf32WithZeros) {
  for (const bool depthwise : {false, true}) {
    for (const char* activation : {"Relu", "Sigmoid", "HardSwish"}) {
      const graph::Graph changed = expect_applied(narrow(depthwise, activation), pad);
      EXPECT_EQ(changed.find_initializer(changed.nodes().front().input(1))->shape()[0], 32);
      graph::Graph fresh = changed;
      (void)infer_shapes(fresh, {});
      for (const graph::Node& node : changed.nodes()) {
        EXPECT_EQ(changed.find_type(node.output())->fixed_shape(),
                  fresh.find_type(node.output())->fixed_shape());
      }
    }
  }
}

TEST(PadChannels, OnlyWhereItPaysAndChangesNothing) {
  expect_untouched(narrow(false, "Relu", 32), pad);
  expect_untouched(narrow(false, "Relu", 8), pad);  // four times as many
  expect_untouched(narrow(false, "Log"), pad);      // log 0 times 0 is no number
  graph::Graph graph = narrow(false);
  EXPECT_TRUE(pad_channels(graph, never).applied_to.empty());
  graph::Graph open = narrow(false);
  open.add_output(open.nodes().front().output());
  expect_untouched(open, pad);
}

TEST(PadChannels, WouldChangeTheOutput) {
  // Channels that are not multiplied by zero afterwards would be heard.
  const graph::Graph original = narrow(false, "Sigmoid");
  graph::Graph wrong = expect_applied(original, pad);
  const graph::Node& last = wrong.nodes().back();
  Tensor weight = *wrong.find_initializer(last.input(1));
  for (float& value : weight.mutable_data<float>()) value = value == 0.0F ? 1.0F : value;
  wrong.set_initializer(last.input(1), weight);
  const auto feeds = test::random_feeds(original, 6);
  EXPECT_GT(test::largest_difference(test::run_graph(original, feeds)[0],
                                     test::run_graph(wrong, feeds)[0]),
            1e-2);
}

TEST(PreluToRelu, ReplacesAndSaysWhatItCosts) {
  for (const bool leaky : {false, true}) {
    PatternBuilder b({1, 3, 4});
    const std::string v =
        leaky ? b.op("LeakyRelu", {"x"}, {{"alpha", 0.25F}})
              : b.op("PRelu", {"x", b.constant(test::floats({3, 1}, {0.1F, -0.25F, 0.0F}))});
    const graph::Graph original = typed(b.finish(v));
    graph::Graph changed = original;
    const PassReport report = prelu_to_relu(changed);
    EXPECT_EQ(report.applied_to.size(), 1U);
    ASSERT_EQ(report.findings.size(), 1U);
    EXPECT_EQ(report.findings[0].id, "function-changed");
    EXPECT_NE(report.findings[0].reason.find("0.25"), std::string::npos);
    const auto feeds = test::random_feeds(original, 6);
    EXPECT_GT(test::largest_difference(test::run_graph(original, feeds)[0],
                                       test::run_graph(changed, feeds)[0]),
              1e-3)
        << "the function changes: that is why it is only done on request";
    const auto y = test::run_graph(changed, feeds)[0];
    const auto x = feeds.at("x").data<float>();
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_EQ(y.data<float>()[i], std::max(x[i], 0.0F));
    }
  }
  PatternBuilder b({1, 3, 4});
  expect_untouched(typed(b.finish(b.op("Relu", {"x"}))), prelu_to_relu);
}

}  // namespace
}  // namespace hexquant::passes
