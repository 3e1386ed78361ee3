#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "hexquant/error.h"
#include "perf/latency_data.h"
#include "perf/operation_work.h"
#include "perf/prediction.h"
#include "perf/schedule.h"
#include "perf/vtcm_plan.h"
#include "perf/workload_chain.h"
#include "target/target.h"

namespace hexquant::perf {
namespace {

target::Soc chip(const std::string& name) {
  return target::load_target(name).soc;
}

double time_us(const Workload& workload, const std::string& soc = "SA8255") {
  return predict(workload, chip(soc), {}).time_us.value;
}

Workload convolutions(std::int64_t channels, std::int64_t size, int layers, int act_bits = 8,
                      int weight_bits = 8, std::int64_t kernel = 3) {
  Chain chain({1, channels, size, size}, act_bits);
  for (int i = 0; i < layers; ++i) chain.conv(channels, kernel, weight_bits);
  return chain.done();
}

/// A machine with round numbers.
LatencyConstants simple_machine() {
  LatencyConstants constants;
  constants.matrix[0].per_product = {4.0, 8.0, 32.0};
  for (VectorCost& cost : constants.vector) cost.per_element = {1.0, 2.0, 2.0};
  constants.dma_bytes_per_cycle = 32.0;
  constants.vector_threads = 4.0;
  return constants;
}

/// Stages of one operation as a chain of its own.
Timeline run(const std::vector<OperationWork>& work, double prefetch_bytes = 1e9) {
  Workload workload;
  for (std::size_t i = 0; i < work.size(); ++i) {
    WorkTensor tensor;
    tensor.shape = {1};
    tensor.producer = static_cast<int>(i);
    tensor.readers = {static_cast<int>(i) + 1};
    workload.tensors.push_back(tensor);
    Operation operation;
    if (i > 0) operation.inputs = {static_cast<int>(i) - 1};
    operation.outputs = {static_cast<int>(i)};
    workload.operations.push_back(operation);
  }
  ScheduleOptions options;
  options.clock_mhz = 1000.0;
  options.dma_bytes_per_cycle = 32.0;
  options.prefetch_bytes = prefetch_bytes;
  return schedule(workload, work, simple_machine(), options);
}

OperationWork stage(Lane lane, double cycles, int tiles, std::int64_t weight_bytes = 0) {
  OperationWork work;
  work.stages.push_back({lane, cycles, tiles});
  work.weight_bytes = weight_bytes;
  work.ddr_read_bytes = weight_bytes;
  return work;
}

TEST(Schedule, VectorTilesRunOnFourThreads) {
  EXPECT_DOUBLE_EQ(run({stage(Lane::kVector, 400.0, 4)}).cycles, 100.0);
  EXPECT_DOUBLE_EQ(run({stage(Lane::kVector, 400.0, 1)}).cycles, 400.0);
  EXPECT_DOUBLE_EQ(run({stage(Lane::kVector, 500.0, 5)}).cycles, 200.0);
}

TEST(Schedule, ATileStartsWhenTheTileItReadsIsDone) {
  // Matrix tiles end at 100, 200, 300, 400; vector tiles of 50 follow one by one.
  const Timeline timeline = run({stage(Lane::kMatrix, 400.0, 4), stage(Lane::kVector, 200.0, 4)});
  EXPECT_DOUBLE_EQ(timeline.cycles, 450.0);
  EXPECT_DOUBLE_EQ(timeline.operations[0].exclusive, 400.0);
  EXPECT_DOUBLE_EQ(timeline.operations[1].exclusive, 50.0);
  // With one tile nothing overlaps.
  EXPECT_DOUBLE_EQ(run({stage(Lane::kMatrix, 400.0, 1), stage(Lane::kVector, 200.0, 4)}).cycles,
                   450.0);
  EXPECT_DOUBLE_EQ(run({stage(Lane::kMatrix, 400.0, 1), stage(Lane::kVector, 200.0, 1)}).cycles,
                   600.0);
}

TEST(Schedule, AHaloDelaysByOneTile) {
  OperationWork reader = stage(Lane::kVector, 200.0, 4);
  reader.halo_tiles = 1;
  // The last two tiles wait for the last matrix tile, on two threads.
  EXPECT_DOUBLE_EQ(run({stage(Lane::kMatrix, 400.0, 4), reader}).cycles, 450.0);
  EXPECT_DOUBLE_EQ(run({stage(Lane::kMatrix, 400.0, 4), reader}).operations[1].start, 100.0);
}

TEST(Schedule, WeightsAreFetchedBehindOtherWork) {
  // 3200 bytes take 100 cycles: 100 + 400, then the second 100 are hidden behind 400.
  const auto layer = stage(Lane::kMatrix, 400.0, 4, 3200);
  EXPECT_DOUBLE_EQ(run({layer, layer}).cycles, 900.0);
  // Weight-bound: 64000 bytes take 2000 cycles each.
  const auto heavy = stage(Lane::kMatrix, 400.0, 4, 64000);
  EXPECT_DOUBLE_EQ(run({heavy, heavy}).cycles, 4400.0);
  EXPECT_GT(run({heavy, heavy}).operations[1].matrix_wait_for_dma, 1500.0);
}

TEST(Schedule, WithoutRoomWeightsWaitForTheLayerBefore) {
  const auto heavy = stage(Lane::kMatrix, 400.0, 4, 64000);
  // Nothing fits ahead: the second transfer starts when the first layer ends.
  EXPECT_DOUBLE_EQ(run({heavy, heavy, heavy}, 1000.0).cycles, 3.0 * 2400.0);
  EXPECT_LT(run({heavy, heavy, heavy}, 200000.0).cycles, 3.0 * 2400.0);
}

TEST(Schedule, ResultsTravelBesideTheConversion) {
  // Two tiles of 100 cycles on two threads; 3200 bytes at 32 a cycle, one tile behind the other.
  OperationWork work = stage(Lane::kVector, 200.0, 2);
  work.stages.push_back({Lane::kTransfer, 3200.0, 2});
  EXPECT_DOUBLE_EQ(run({work}).cycles, 200.0);
}

TEST(Schedule, PartsOfAnInputAreUsedAsTheyArrive) {
  // 3200 bytes arrive in 100 cycles; four tiles of 40 cycles.
  const auto cycles = [](int parts) {
    OperationWork work = stage(Lane::kVector, 160.0, 4);
    work.ddr_read_bytes = 3200;
    work.input_tiles = parts;
    Workload workload;
    workload.tensors.resize(2);
    workload.tensors[0].shape = workload.tensors[1].shape = {1};
    workload.tensors[0].is_graph_input = true;
    workload.tensors[0].readers = {0};
    workload.tensors[1].producer = 0;
    workload.operations.resize(1);
    workload.operations[0].inputs = {0};
    workload.operations[0].outputs = {1};
    ScheduleOptions options;
    options.clock_mhz = 1000.0;
    options.dma_bytes_per_cycle = 32.0;
    options.vector_threads = 1;
    return schedule(workload, {work}, simple_machine(), options).cycles;
  };
  EXPECT_DOUBLE_EQ(cycles(1), 100.0 + 160.0);
  EXPECT_DOUBLE_EQ(cycles(4), 25.0 + 160.0);
}

TEST(OperationWork, CountsBlocksOfAConvolution) {
  // 28 x 28 = 4 strips x 4 columns, 128 -> 64 channels = 4 x 2 blocks, 9 elements: 16 * 8 * 9.
  const Workload workload = Chain({1, 128, 28, 28}).conv(64, 3).done();
  const auto work = operation_work(workload, Layout(workload), simple_machine(), {});
  double matrix = 0.0;
  for (const Stage& stage : work[0].stages)
    matrix += stage.lane == Lane::kMatrix ? stage.cycles : 0;
  EXPECT_DOUBLE_EQ(matrix, 4.0 * 16 * 8 * 9);
  EXPECT_EQ(work[0].transfers, 2);
}

TEST(OperationWork, WeightsArePaddedToBlocksAndTransfers) {
  const auto bytes = [](std::int64_t channels, std::int64_t kernel, int bits = 8) {
    const Workload workload = Chain({1, channels, 28, 28}).conv(channels, kernel, bits).done();
    return stored_weight_bytes(workload, workload.operations[0]);
  };
  // The vendor's figures for chains of these layers (fetched for each layer, bias included).
  EXPECT_EQ(bytes(64, 3), 36864 + 2048);
  EXPECT_EQ(bytes(48, 3), 36864 + 2048);
  EXPECT_EQ(bytes(96, 3), 82944 + 2048 - 82944 % 2048 + 2048);
  EXPECT_EQ(bytes(128, 3), 147456 + 2048);
  EXPECT_EQ(bytes(1024, 1), 1048576 + 4 * 2048);
  EXPECT_EQ(bytes(1024, 1, 4), 524288 + 4 * 2048);
}

TEST(OperationWork, AConcatOfWholeBlocksIsFree) {
  const auto stages = [](std::int64_t channels) {
    Chain chain({1, channels, 28, 28});
    chain.conv(channels, 1);
    const int left = chain.value();
    chain.conv(channels, 1);
    Workload workload = chain.done();
    Operation concat;
    concat.op = "Concat";
    concat.kind = WorkKind::kMover;
    concat.inputs = {left, chain.value()};
    WorkTensor out;
    out.shape = {1, 2 * channels, 28, 28};
    workload.tensors.push_back(out);
    concat.outputs = {static_cast<int>(workload.tensors.size()) - 1};
    workload.operations.push_back(concat);
    return operation_work(workload, Layout(workload), simple_machine(), {}).back().stages.size();
  };
  EXPECT_EQ(stages(64), 0U);
  EXPECT_EQ(stages(48), 1U);
}

TEST(Predict, MoreWorkIsNeverFaster) {
  double before = 0.0;
  for (const std::int64_t channels : {16, 32, 64, 128, 256}) {
    const double now = time_us(convolutions(channels, 28, 4));
    EXPECT_GE(now, before) << channels;
    before = now;
  }
  EXPECT_GT(time_us(convolutions(64, 56, 4)), time_us(convolutions(64, 28, 4)));
  EXPECT_GT(time_us(convolutions(64, 28, 8)), time_us(convolutions(64, 28, 4)));
}

TEST(Predict, SixteenBitsCostMoreFourBitWeightsNotMore) {
  EXPECT_GT(time_us(convolutions(128, 28, 4, 16)), time_us(convolutions(128, 28, 4, 8)));
  const double wide = time_us(convolutions(1024, 7, 12, 8, 8, 1));
  const double narrow = time_us(convolutions(1024, 7, 12, 8, 4, 1));
  EXPECT_LT(narrow, 0.8 * wide);  // bound by weights
  EXPECT_LE(time_us(convolutions(64, 56, 4, 8, 4, 1)), time_us(convolutions(64, 56, 4, 8, 8, 1)));
}

TEST(Predict, MoreBandwidthIsNeverSlower) {
  const Workload workload = convolutions(1024, 7, 12, 8, 8, 1);
  target::Soc soc = chip("SM8650");
  double before = 1e30;
  for (const double gb_per_s : {20.0, 40.0, 60.0, 100.0}) {
    soc.ddr_effective_gb_per_s = {gb_per_s, "declared by the user"};
    const double now = predict(workload, soc, {}).time_us.value;
    EXPECT_LT(now, before);
    before = now;
  }
}

TEST(Predict, OperationsAddUpToTheWhole) {
  const Prediction prediction = predict(convolutions(64, 56, 6), chip("SA8255"), {});
  double sum = 0.0;
  std::int64_t bytes = 0;
  for (const OperationCost& cost : prediction.operations) {
    sum += cost.time_us.value;
    bytes += cost.ddr_read_bytes + cost.ddr_write_bytes;
    EXPECT_GE(cost.utilization, 0.0);
    EXPECT_LE(cost.utilization, 1.0);
    EXPECT_LE(cost.start_us, cost.end_us);
  }
  EXPECT_NEAR(sum, prediction.time_us.value, 1e-6 * sum);
  EXPECT_EQ(bytes, prediction.ddr_bytes);
  EXPECT_LT(prediction.time_us.lower, prediction.time_us.value);
  EXPECT_GT(prediction.time_us.upper, prediction.time_us.value);
  EXPECT_GT(prediction.call_overhead_us, 0.0);
}

TEST(Predict, DdrBytesOfAChainAreExact) {
  // Input 64 x 28 x 28, six layers of 38912 bytes, output in blocks: 64 x 32 x 32 (the vendor
  // writes 65536 bytes for conv3x3_c64_s28_n12 too).
  const Prediction prediction = predict(convolutions(64, 28, 6), chip("SA8255"), {});
  const std::int64_t input = (64 * 28 * 28 + 2047) / 2048 * 2048;
  EXPECT_EQ(prediction.ddr_bytes, input + 6 * 38912 + 65536);
}

TEST(Predict, WhatAChipDoesNotTellIsAFinding) {
  std::vector<std::string> ids;
  for (const Finding& finding : predict(convolutions(64, 28, 2), chip("SM8650"), {}).findings) {
    ids.push_back(finding.id);
  }
  EXPECT_THAT(ids, testing::Contains("architecture-assumed"));
  EXPECT_THAT(ids, testing::Contains("clock-assumed"));
  EXPECT_TRUE(predict(convolutions(64, 28, 2), chip("SA8255"), {}).findings.empty());
}

TEST(Predict, KnowsItsError) {
  EXPECT_EQ(model_error(chip("SM8650")).htp_arch, "v73");
  EXPECT_EQ(model_error(chip("SM8850")).htp_arch, "v81");
  EXPECT_EQ(model_error(chip("SM8750")).htp_arch, "v81");
  EXPECT_GT(model_error(chip("SA8255")).micro_cases, 50);
  EXPECT_GT(model_error(chip("SA8255")).networks, 15);
}

TEST(LatencyData, BadFilesAreNamed) {
  EXPECT_THROW((void)parse_latency_data("{}", "x.json"), Error);
  try {
    (void)parse_latency_data(
        R"({"vendor_version":"v","architectures":{"v73":{"soc":"s","clock_mhz":1,
            "constants":{"matrix_dense_event":-1},"errors":{}}}})",
        "x.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("x.json: constant 'matrix_dense_event'"));
  }
}

TEST(LatencyData, ConstantsSurviveTheFile) {
  const LatencyConstants& constants = fitted_machines().front().constants;
  EXPECT_EQ(to_json(parse_constants(to_json(constants), "x")), to_json(constants));
}

VtcmPlan plan(const Workload& workload, std::int64_t vtcm_bytes) {
  const Layout layout(workload);
  const auto work = operation_work(workload, layout, simple_machine(), {});
  ScheduleOptions options;
  options.clock_mhz = 1000.0;
  options.dma_bytes_per_cycle = 32.0;
  const Timeline timeline = schedule(workload, work, simple_machine(), options);
  return plan_vtcm(workload, layout, work, timeline, {vtcm_bytes, 0.0, 1.0});
}

TEST(VtcmPlan, AChainIsPassedOnInStrips) {
  // 256 x 112 x 112 = 3.2 MB a value, but nobody needs it as a whole.
  const VtcmPlan result = plan(Chain({1, 256, 112, 112}).conv(256, 1).conv(256, 1).done(), 4 << 20);
  EXPECT_EQ(result.summary.spill_bytes, 0);
  EXPECT_LT(result.summary.peak_bytes, 3 << 20);
}

/// x is read again behind `layers` convolutions.
Workload residual(int layers) {
  Chain chain({1, 256, 64, 64});
  chain.conv(256, 1);
  const int kept = chain.value();
  for (int i = 0; i < layers; ++i) chain.conv(256, 1);
  return chain.add(kept).done();
}

TEST(VtcmPlan, AValueThatIsReadLaterStaysOrSpills) {
  // 1 MiB is alive across the layers.
  const VtcmPlan roomy = plan(residual(2), 4 << 20);
  EXPECT_EQ(roomy.summary.spill_bytes, 0);
  EXPECT_GE(roomy.summary.peak_bytes, 1 << 20);
  const VtcmPlan tight = plan(residual(2), 1 << 20);
  EXPECT_EQ(tight.summary.spill_bytes, 1 << 20);
  EXPECT_EQ(tight.summary.fill_bytes, tight.summary.spill_bytes);
  EXPECT_LE(tight.summary.peak_bytes, 1 << 20);
}

TEST(VtcmPlan, TilesFitAndShrinkWithVtcm) {
  const Workload workload = convolutions(256, 112, 2);
  const auto large = plan(workload, 16 << 20).operations[0].tile;
  EXPECT_EQ(large, (std::array<std::int64_t, 3>{112, 112, 256}));
  const auto small = plan(workload, 1 << 20).operations[0].tile;
  EXPECT_LT(small[0], 112);
  EXPECT_GE(small[0], 8);
}

TEST(VtcmPlan, LessVtcmNeverSpillsLess) {
  std::int64_t before = 0;
  for (const std::int64_t mb : {16, 8, 4, 2, 1}) {
    PredictOptions options;
    options.vtcm_mb = mb;
    const VtcmSummary vtcm = predict(residual(3), chip("SA8797"), options).vtcm;
    EXPECT_GE(vtcm.spill_bytes, before);
    EXPECT_LE(vtcm.peak_bytes, mb << 20);
    before = vtcm.spill_bytes;
  }
  EXPECT_GT(before, 0);
}

TEST(VtcmPlan, DlbcMakesTransfersSmaller) {
  PredictOptions options;
  options.vtcm_mb = 1;
  const Prediction plain = predict(residual(3), chip("SA8255"), options);
  options.dlbc = true;
  EXPECT_LT(predict(residual(3), chip("SA8255"), options).ddr_bytes, plain.ddr_bytes);
}

}  // namespace
}  // namespace hexquant::perf
