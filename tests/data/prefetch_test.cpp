#include "data/prefetch.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "data_testing.h"

namespace hexquant::data {
namespace {

using ::testing::HasSubstr;

/// Sample i holds the number i; counts its calls and can fail.
class CountingDataset final : public Dataset {
 public:
  explicit CountingDataset(std::int64_t size, std::int64_t bad = -1) : size_(size), bad_(bad) {}
  [[nodiscard]] std::int64_t size() const override { return size_; }
  [[nodiscard]] Sample load(std::int64_t index) const override {
    ++loads;
    if (index == bad_) throw Error(ErrorCode::kInvalidData, "sample is bad");
    return {{"x", Tensor::scalar<std::int64_t>(index)}};
  }
  [[nodiscard]] std::string describe(std::int64_t index) const override {
    return std::to_string(index);
  }
  mutable std::atomic<int> loads{0};

 private:
  std::int64_t size_;
  std::int64_t bad_;
};

std::int64_t value_of(const std::optional<Sample>& sample) {
  return sample->at("x").data<std::int64_t>()[0];
}

TEST(PrefetchReader, GivesTheRangeInOrder) {
  const CountingDataset dataset(20);
  for (const int depth : {1, 3, 100}) {
    PrefetchReader reader(dataset, 2, 19, depth);
    for (std::int64_t i = 2; i < 19; ++i) ASSERT_EQ(value_of(reader.next()), i);
    EXPECT_FALSE(reader.next().has_value());
    EXPECT_FALSE(reader.next().has_value());
  }
  PrefetchReader empty(dataset, 5, 5, 1);
  EXPECT_FALSE(empty.next().has_value());
}

TEST(PrefetchReader, LoadsNoMoreThanItsDepthAhead) {
  const CountingDataset dataset(100);
  PrefetchReader reader(dataset, 0, 100, 3);
  EXPECT_EQ(value_of(reader.next()), 0);
  for (int wait = 0; wait < 200 && dataset.loads < 4; ++wait) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(dataset.loads, 4);  // the one taken and three that wait
}

TEST(PrefetchReader, ErrorsComeInTheirPlace) {
  const CountingDataset dataset(10, 2);
  PrefetchReader reader(dataset, 0, 10, 8);
  EXPECT_EQ(value_of(reader.next()), 0);
  EXPECT_EQ(value_of(reader.next()), 1);
  EXPECT_THAT(error_of(ErrorCode::kInvalidData, [&] { static_cast<void>(reader.next()); }),
              HasSubstr("sample is bad"));
  EXPECT_FALSE(reader.next().has_value());
}

TEST(PrefetchReader, MayBeDestroyedAtAnyTime) {
  const CountingDataset dataset(1000, 500);
  for (int taken = 0; taken < 50; ++taken) {
    PrefetchReader reader(dataset, 0, 1000, 2);
    for (int i = 0; i < taken; ++i) ASSERT_TRUE(reader.next().has_value());
  }
}

TEST(PrefetchReader, ChecksItsRange) {
  const CountingDataset dataset(3);
  EXPECT_THROW(PrefetchReader(dataset, 0, 4, 1), Error);
  EXPECT_THROW(PrefetchReader(dataset, -1, 2, 1), Error);
  EXPECT_THROW(PrefetchReader(dataset, 0, 2, 0), Error);
}

}  // namespace
}  // namespace hexquant::data
