#include "pipeline/distinct_runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "data/dataset.h"

namespace hexquant::pipeline {
namespace {

using testing::ElementsAre;

data::Sample sample(const std::string& name, const Shape& shape, const std::vector<float>& values) {
  return {{name, Tensor::from<float>(shape, values)}};
}

DistinctRuns group(const std::vector<data::Sample>& samples) {
  DistinctRuns runs(std::ssize(samples));
  for (std::int64_t i = std::ssize(samples) - 1; i >= 0; --i) {
    runs.note(i, samples[static_cast<std::size_t>(i)]);
  }
  runs.group([&](std::int64_t run) { return samples.at(static_cast<std::size_t>(run)); });
  return runs;
}

TEST(DistinctRuns, GroupsEqualInputsInTheOrderOfTheirFirstRuns) {
  const data::Sample a = sample("x", {2}, {1, 2});
  const data::Sample b = sample("x", {2}, {1, 3});
  const DistinctRuns runs = group({a, b, a, a, b});
  ASSERT_EQ(runs.size(), 2);
  EXPECT_THAT(runs.runs(0), ElementsAre(0, 2, 3));
  EXPECT_THAT(runs.runs(1), ElementsAre(1, 4));
  EXPECT_EQ(runs.first(1), 1);
}

TEST(DistinctRuns, ShapesNamesAndSignsOfZeroCount) {
  const DistinctRuns runs = group({sample("x", {2, 1}, {0, 2}), sample("x", {1, 2}, {0, 2}),
                                   sample("y", {2, 1}, {0, 2}), sample("x", {2, 1}, {-0.0F, 2})});
  EXPECT_EQ(runs.size(), 4);
}

/// The digests are equal here, the inputs are not.
TEST(DistinctRuns, EqualDigestsAreCompared) {
  DistinctRuns runs(2);
  const data::Sample noted = sample("x", {1}, {1});
  runs.note(0, noted);
  runs.note(1, noted);
  runs.group([&](std::int64_t run) { return sample("x", {1}, {static_cast<float>(run)}); });
  EXPECT_EQ(runs.size(), 2);
}

}  // namespace
}  // namespace hexquant::pipeline
