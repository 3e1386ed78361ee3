#include "runtime/segment_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "hexquant/error.h"
#include "support/graph_builder.h"

namespace hexquant::runtime {
namespace {

using testing::ElementsAre;

constexpr std::int64_t kPlenty = 1 << 20;

/// a = 2 x, b = a + x, c = b * a: at the cut behind b, both a and b are alive.
graph::Graph arithmetic() {
  return test::GraphBuilder()
      .input("x", {1, 2})
      .scalar("two", 2.0F)
      .node("Mul", {"x", "two"}, {"a"}, {1, 2})
      .node("Add", {"a", "x"}, {"b"}, {1, 2})
      .node("Mul", {"b", "a"}, {"c"}, {1, 2})
      .output("c")
      .graph();
}

Feeds sample(std::int64_t index) {
  const auto x = static_cast<float>(index);
  return {{"x", Tensor::from<float>({1, 2}, {x, -x})}};
}

std::vector<float> values(const Tensor& tensor) {
  return {tensor.data<float>().begin(), tensor.data<float>().end()};
}

/// Value c of every sample, computed over the cuts {a, x}, {a, b}.
std::vector<float> run(std::int64_t max_bytes, int threads, int& loads, bool& held) {
  const graph::Graph graph = arithmetic();
  std::mutex mutex;
  SegmentRunner runner(
      graph, 3,
      [&](std::int64_t index) {
        const std::lock_guard lock(mutex);
        ++loads;
        return sample(index);
      },
      max_bytes, threads);
  runner.advance({"a", "x"});
  std::vector<float> results(3);
  runner.advance({"a", "b"}, [&](std::int64_t index, const Feeds& before, const Feeds& after) {
    EXPECT_EQ(values(before.at("a"))[0], 2.0F * static_cast<float>(index));
    EXPECT_EQ(values(after.at("b"))[0], 3.0F * static_cast<float>(index));
    results[static_cast<std::size_t>(index)] = values(after.at("b"))[1];
  });
  held = runner.holds_cut();
  const Segment rest(graph, runner.cut(), {"c", "a"});
  runner.visit([&](std::int64_t index, const Feeds& at_cut) {
    const std::vector<Tensor> outputs = rest.run(at_cut);
    results[static_cast<std::size_t>(index)] += values(outputs[0])[1] + values(outputs[1])[1];
  });
  return results;
}

TEST(SegmentRunner, ComputesEachStepFromTheCutBefore) {
  int loads = 0;
  bool held = false;
  // For -x: b = -3x, c = 6 x^2, a = -2x.
  EXPECT_THAT(run(kPlenty, 1, loads, held), ElementsAre(0.0F, 1.0F, 14.0F));
  EXPECT_TRUE(held);
  EXPECT_EQ(loads, 3 + 1) << "each sample once, and the first to see how large the values are";
}

TEST(SegmentRunner, WithoutMemoryTheSameNumbersAreComputedAgain) {
  int loads = 0;
  bool held = true;
  EXPECT_THAT(run(0, 2, loads, held), ElementsAre(0.0F, 1.0F, 14.0F));
  EXPECT_FALSE(held);
  EXPECT_GT(loads, 6);
}

TEST(Segment, HandsGivenValuesThroughAndNamesWhatIsMissing) {
  const graph::Graph graph = arithmetic();
  const Segment segment(graph, {"a"}, {"a"});
  EXPECT_EQ(values(segment.run({{"a", Tensor::from<float>({1, 2}, {5.0F, 6.0F})}})[0]),
            (std::vector<float>{5.0F, 6.0F}));
  EXPECT_THROW(Segment(graph, {"a"}, {"b"}), Error) << "x is not at the cut";
}

}  // namespace
}  // namespace hexquant::runtime
