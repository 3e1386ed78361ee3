#include "pipeline/checklist/sample_statistics.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "core/stopwatch.h"

namespace hexquant::pipeline {
namespace {

/// The definition, pair by pair.
std::int64_t slow_count(const DataStatistics& data) {
  const std::size_t length = data.samples.front().signature.size();
  std::vector<double> mean(length, 0.0);
  const auto n = static_cast<double>(data.samples.size());
  for (const SampleStatistics& sample : data.samples) {
    for (std::size_t i = 0; i < length; ++i) mean[i] += static_cast<double>(sample.signature[i]);
  }
  const auto distance = [&](const auto& a, const auto& b) {
    double sum = 0.0;
    for (std::size_t i = 0; i < length; ++i) {
      const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
      sum += difference * difference;
    }
    return sum;
  };
  for (double& value : mean) value /= n;
  double spread = 0.0;
  for (const SampleStatistics& sample : data.samples) {
    spread += distance(sample.signature, mean) / n;
  }
  std::int64_t found = 0;
  for (std::size_t i = 0; i < data.samples.size(); ++i) {
    bool near = false;
    for (std::size_t j = 0; j < i && !near; ++j) {
      near = distance(data.samples[j].signature, data.samples[i].signature) <= 4e-4 * spread;
    }
    found += near ? 1 : 0;
  }
  return found;
}

/// Samples with a few wide directions, a share of them close to an earlier one at all distances
/// around the limit.
DataStatistics clustered(std::size_t count, double share, unsigned seed) {
  constexpr std::size_t kLength = 192;
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  DataStatistics data;
  data.samples.resize(count);
  for (std::size_t s = 0; s < count; ++s) {
    std::vector<float>& signature = data.samples[s].signature;
    if (s > 0 && uniform(engine) < share) {
      signature = data.samples[static_cast<std::size_t>(uniform(engine) * static_cast<double>(s))]
                      .signature;
      const auto noise = static_cast<float>(0.1 * uniform(engine));
      for (float& value : signature) value += noise * normal(engine);
      continue;
    }
    const float brightness = 2.0F * normal(engine);
    for (std::size_t i = 0; i < kLength; ++i) signature.push_back(brightness + normal(engine));
  }
  return data;
}

TEST(NearDuplicates, AreThoseOfTheDefinition) {
  for (const unsigned seed : {1U, 2U, 3U}) {
    const DataStatistics data = clustered(400, 0.4, seed);
    const std::int64_t expected = slow_count(data);
    EXPECT_GT(expected, 20);
    EXPECT_LT(expected, 160) << "some copies are too far away";
    EXPECT_EQ(count_near_duplicates(data), expected);
  }
}

TEST(NearDuplicates, AreAllButTheFirstOfEqualSamples) {
  DataStatistics data;
  data.samples.resize(7);
  for (SampleStatistics& sample : data.samples) sample.signature = {1.0F, 2.0F, 3.0F};
  EXPECT_EQ(count_near_duplicates(data), 6);
  for (SampleStatistics& sample : data.samples) sample.signature.clear();
  EXPECT_EQ(count_near_duplicates(data), 6) << "samples without elements are alike";
  data.samples.resize(1);
  EXPECT_EQ(count_near_duplicates(data), 0);
}

TEST(NearDuplicates, CompareWhatSignaturesHaveInCommon) {
  DataStatistics data;
  data.samples.resize(4);
  data.samples[0].signature = {0.0F, 0.0F};
  data.samples[1].signature = {0.0F, 0.0F, 90.0F};
  data.samples[2].signature = {50.0F, 1.0F};
  data.samples[3].signature = {0.0F, 40.0F, 7.0F};
  EXPECT_EQ(count_near_duplicates(data), 1);
}

TEST(NearDuplicates, OfTenThousandSamplesTakeASecond) {
  // Pair by pair it takes a minute; the limit leaves room for sanitizers and other processes.
  constexpr double kMostSeconds = 10.0;
  const DataStatistics data = clustered(10000, 0.1, 5);
  Stopwatch watch;
  const std::int64_t found = count_near_duplicates(data);
  const double seconds = watch.total_seconds();
  RecordProperty("seconds", std::to_string(seconds));
  EXPECT_GT(found, 200);
  EXPECT_LE(seconds, kMostSeconds);
}

}  // namespace
}  // namespace hexquant::pipeline
