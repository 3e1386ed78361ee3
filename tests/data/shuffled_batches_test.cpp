#include "data/shuffled_batches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "data/prefetch.h"
#include "hexquant/error.h"
#include "support/memory_dataset.h"

namespace hexquant::data {
namespace {

using ::testing::HasSubstr;

/// Samples 0, 1, 2 ... of one value each.
test::MemoryDataset counting(int count) {
  std::vector<std::vector<float>> rows;
  for (int i = 0; i < count; ++i) rows.push_back({static_cast<float>(i)});
  return test::float_rows("x", rows);
}

ModelInput free_batch() {
  return {"x", DType::kFloat32, {{-1, "N"}, {1, ""}}};
}

std::vector<float> values(const Sample& sample) {
  const auto data = sample.at("x").data<float>();
  return {data.begin(), data.end()};
}

std::vector<float> epoch_values(const ShuffledBatches& batches, std::int64_t epoch) {
  std::vector<float> all;
  const std::int64_t items = batches.steps_per_epoch() * batches.items_per_step();
  for (std::int64_t i = 0; i < items; ++i) {
    for (const float value : values(batches.load(epoch * items + i))) all.push_back(value);
  }
  return all;
}

TEST(ShuffledBatches, EveryEpochHoldsEverySampleInAnotherOrder) {
  const test::MemoryDataset samples = counting(12);
  const ShuffledBatches batches(samples, {free_batch()}, {.batch_size = 4, .epochs = 3});
  EXPECT_EQ(batches.steps_per_epoch(), 3);
  EXPECT_EQ(batches.size(), 9);
  EXPECT_EQ(batches.batch_size(), 4);
  std::set<std::vector<float>> orders;
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::vector<float> order = epoch_values(batches, epoch);
    orders.insert(order);
    std::sort(order.begin(), order.end());
    for (int i = 0; i < 12; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  }
  EXPECT_EQ(orders.size(), 3U);
  EXPECT_EQ(batches.load(0).at("x").shape(), (Shape{4, 1}));
}

TEST(ShuffledBatches, AnItemDependsOnItsIndexAlone) {
  const test::MemoryDataset samples = counting(20);
  const BatchOptions options = {.batch_size = 5, .epochs = 4, .seed = 3};
  const ShuffledBatches forward(samples, {free_batch()}, options);
  const ShuffledBatches jumping(samples, {free_batch()}, options);
  for (const std::int64_t i : {15, 2, 9, 3, 0}) {
    EXPECT_EQ(values(jumping.load(i)), values(forward.load(i)));
  }
  const ShuffledBatches other(samples, {free_batch()}, {.batch_size = 5, .epochs = 4, .seed = 4});
  EXPECT_NE(epoch_values(other, 0), epoch_values(forward, 0));
}

TEST(ShuffledBatches, SourcesAreTheItemsOfABatch) {
  const test::MemoryDataset samples = counting(7);
  const ShuffledBatches batches(samples, {free_batch()}, {.batch_size = 3, .epochs = 2});
  EXPECT_EQ(batches.steps_per_epoch(), 2);  // the seventh sample waits for another epoch
  for (std::int64_t i = 0; i < batches.size(); ++i) {
    const std::vector<float> loaded = values(batches.load(i));
    const std::vector<std::int64_t> sources = batches.sources(i);
    ASSERT_EQ(loaded.size(), sources.size());
    for (std::size_t k = 0; k < loaded.size(); ++k) {
      EXPECT_EQ(loaded[k], static_cast<float>(sources[k]));
    }
  }
}

TEST(ShuffledBatches, AFixedBatchGivesSeveralItemsAStep) {
  std::vector<Sample> items;
  for (int i = 0; i < 6; ++i) {
    const auto value = static_cast<float>(i);
    items.push_back({{"x", Tensor::from<float>({2, 1}, {value, value})}});
  }
  const test::MemoryDataset samples(std::move(items), 2);
  const ModelInput fixed = {"x", DType::kFloat32, {{2, ""}, {1, ""}}};
  const ShuffledBatches batches(samples, {fixed}, {.batch_size = 4, .epochs = 1});
  EXPECT_EQ(batches.items_per_step(), 2);
  EXPECT_EQ(batches.batch_size(), 2);
  EXPECT_EQ(batches.steps_per_epoch(), 3);
  EXPECT_EQ(batches.load(5).at("x").shape(), (Shape{2, 1}));
  EXPECT_THROW(ShuffledBatches(samples, {fixed}, {.batch_size = 3}), Error);
}

TEST(ShuffledBatches, ASmallDataSetIsOneBatch) {
  const test::MemoryDataset samples = counting(3);
  const ShuffledBatches batches(samples, {free_batch()}, {.batch_size = 64, .epochs = 1});
  EXPECT_EQ(batches.size(), 1);
  EXPECT_EQ(batches.load(0).at("x").shape(), (Shape{3, 1}));
}

TEST(ShuffledBatches, AugmentationChangesFromEpochToEpoch) {
  const Tensor image = Tensor::from<float>({1, 1, 1, 4}, {1, 2, 3, 4});
  const test::MemoryDataset samples({{{"x", image}}});
  const ModelInput input = {"x", DType::kFloat32, {{-1, "N"}, {1, ""}, {1, ""}, {4, ""}}};
  const ShuffledBatches batches(samples, {input},
                                {.batch_size = 1, .epochs = 16, .augmentation = {.flip = true}});
  std::set<std::vector<float>> seen;
  for (std::int64_t i = 0; i < 16; ++i) seen.insert(values(batches.load(i)));
  EXPECT_EQ(seen.size(), 2U);
}

TEST(ShuffledBatches, AugmentationNeedsImages) {
  const test::MemoryDataset samples = counting(3);
  EXPECT_THROW(ShuffledBatches(samples, {free_batch()}, {.augmentation = {.flip = true}}), Error);
}

TEST(ShuffledBatches, APrefetchReaderStartsAnywhere) {
  const test::MemoryDataset samples = counting(8);
  const ShuffledBatches batches(samples, {free_batch()}, {.batch_size = 2, .epochs = 2});
  PrefetchReader reader(batches, 3, 6, 2);
  for (std::int64_t i = 3; i < 6; ++i) EXPECT_EQ(values(*reader.next()), values(batches.load(i)));
  EXPECT_FALSE(reader.next().has_value());
}

}  // namespace
}  // namespace hexquant::data
