#include "profiling/layer_times.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <vector>

namespace hexquant::profiling {
namespace {

using testing::ElementsAre;

constexpr auto kHmx = HwUnit::kHmx;
constexpr auto kHvx = HwUnit::kHvx;
constexpr auto kDma = HwUnit::kDma;
constexpr auto kControl = HwUnit::kControl;

/// Builds a trace event by event.
struct TraceBuilder {
  Optrace trace;
  std::vector<int> layers;

  void add(int layer, HwUnit unit, std::int64_t start, std::int64_t end, std::uint64_t id = 0,
           std::int64_t read = 0, std::int64_t written = 0, int name = 0) {
    trace.events.push_back({.id = id == 0 ? trace.events.size() + 1 : id,
                            .start = start,
                            .duration = end - start,
                            .dram_read_bytes = read,
                            .dram_write_bytes = written,
                            .lane = 0,
                            .name = name,
                            .unit = unit});
    layers.push_back(layer);
  }
  [[nodiscard]] RunTimes times(int count, std::int64_t cycles) const {
    return layer_times(trace, layers, count, cycles);
  }
};

/// 0....10...20...30...40...50...60
/// control   A
///      dma  B=======  (5..25; alone in 10..12)
///      hmx  A  12..30
///      hvx  B     20..40
///      dma  C              45..50, idle before and after
TEST(LayerTimes, attributes_each_instant_by_hand) {
  TraceBuilder builder;
  builder.add(0, kControl, 0, 10);
  builder.add(1, kDma, 5, 25);
  builder.add(0, kHmx, 12, 30);
  builder.add(1, kHvx, 20, 40);
  builder.add(2, kDma, 45, 50);
  const RunTimes run = builder.times(3, 60);
  // A: control 0..5; HMX 12..20 alone and half of 20..30. B: DMA 5..12; half of 20..30; 30..40.
  EXPECT_THAT(run.layers[0].attributed, ElementsAre(13.0, 0.0, 0.0, 5.0));
  EXPECT_THAT(run.layers[1].attributed, ElementsAre(0.0, 15.0, 7.0, 0.0));
  EXPECT_THAT(run.layers[2].attributed, ElementsAre(0.0, 0.0, 5.0, 0.0));
  EXPECT_THAT(run.exclusive, ElementsAre(18.0, 10.0, 12.0, 5.0));
  EXPECT_EQ(run.idle, 15);
  EXPECT_THAT(run.busy, ElementsAre(18, 20, 25, 10));
  EXPECT_THAT(run.layers[1].busy, ElementsAre(0, 20, 20, 0));
  EXPECT_EQ(run.layers[1].start, 5);
  EXPECT_EQ(run.layers[1].end, 40);
  EXPECT_EQ(run.cycles, 60);
}

TEST(LayerTimes, parallel_vector_threads_count_once_in_busy) {
  TraceBuilder builder;
  builder.add(0, kHvx, 0, 10);
  builder.add(0, kHvx, 0, 10);
  builder.add(0, kHvx, 5, 20);
  const RunTimes run = builder.times(1, 20);
  EXPECT_EQ(run.layers[0].busy[1], 20);
  EXPECT_EQ(run.layers[0].hvx_thread_cycles, 35);
  EXPECT_EQ(run.layers[0].attributed_cycles(), 20.0);
  EXPECT_EQ(run.layers[0].tiles, 3);
}

TEST(LayerTimes, bytes_count_once_for_each_operation) {
  TraceBuilder builder;
  builder.add(0, kControl, 0, 1, 7, 100, 0);  // start of 7: repeats its bytes
  builder.add(0, kDma, 1, 5, 7, 100, 0);
  builder.add(0, kHvx, 5, 9, 7, 100, 0);  // the operation that 7's DMA serves
  builder.add(0, kHvx, 9, 12, 8, 30, 4);  // reaches into DRAM itself
  builder.add(1, kDma, 12, 15, 9, 0, 50);
  const RunTimes run = builder.times(2, 15);
  EXPECT_EQ(run.layers[0].dram_read_bytes, 130);
  EXPECT_EQ(run.layers[0].dma_read_bytes, 100);
  EXPECT_EQ(run.layers[0].dram_write_bytes, 4);
  EXPECT_EQ(run.layers[0].dma_write_bytes, 0);
  EXPECT_EQ(run.layers[1].dma_write_bytes, 50);
  EXPECT_EQ(run.layers[0].hardware_ops, 2);
}

TEST(LayerTimes, vtcm_peak_is_what_is_in_use_while_a_layer_computes) {
  TraceBuilder builder;
  builder.trace.vtcm = {{0, 10}, {6, 80}, {8, 20}, {15, 60}};
  builder.add(0, kHmx, 0, 7);
  builder.add(1, kHvx, 8, 12);
  builder.add(2, kDma, 12, 20);  // does not compute
  const RunTimes run = builder.times(3, 20);
  EXPECT_EQ(run.layers[0].vtcm_peak_bytes, 80);
  EXPECT_EQ(run.layers[1].vtcm_peak_bytes, 20);
  EXPECT_EQ(run.layers[2].vtcm_peak_bytes, 0);
  EXPECT_EQ(run.vtcm_peak_bytes, 80);
}

TEST(LayerTimes, an_empty_trace_is_all_idle) {
  const RunTimes run = TraceBuilder{}.times(0, 100);
  EXPECT_EQ(run.idle, 100);
  EXPECT_TRUE(run.layers.empty());
}

TEST(LayerTimes, a_run_is_at_least_as_long_as_its_events) {
  TraceBuilder builder;
  builder.add(0, kHmx, 0, 30);
  EXPECT_EQ(builder.times(1, 10).cycles, 30);
}

/// Whatever the trace: attributed and idle time make up the whole, and so do the exclusive times.
TEST(LayerTimes, parts_add_up_to_the_whole) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    TraceBuilder builder;
    const int events = static_cast<int>(random() % 40);
    for (int e = 0; e < events; ++e) {
      const auto start = static_cast<std::int64_t>(random() % 200);
      builder.add(static_cast<int>(random() % 5), static_cast<HwUnit>(random() % 4), start,
                  start + static_cast<std::int64_t>(random() % 30));
    }
    const RunTimes run = builder.times(5, 250);
    double attributed = 0.0;
    for (const LayerTimes& layer : run.layers) attributed += layer.attributed_cycles();
    const double exclusive = std::accumulate(run.exclusive.begin(), run.exclusive.end(), 0.0);
    constexpr double kRounding = 1e-9;  // sums of halves, thirds ... of up to 250 cycles
    EXPECT_NEAR(attributed + static_cast<double>(run.idle), 250.0, kRounding);
    EXPECT_NEAR(exclusive, attributed, kRounding);
  }
}

}  // namespace
}  // namespace hexquant::profiling
