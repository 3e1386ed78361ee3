// What operations become on the units of the machine, with hand-computed cycles.
#include "perf/operation_work.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "perf/workload_chain.h"

namespace hexquant::perf {
namespace {

/// Work of the last operation alone, without what it costs as a border of the graph.
OperationWork last_work(const Workload& workload, const LatencyConstants& constants) {
  OperationWork work = operation_work(workload, Layout(workload), constants, {}).back();
  std::erase_if(work.stages, [](const Stage& stage) { return stage.is_boundary; });
  return work;
}

LatencyConstants only(VectorTask task, double per_tile, double per_element) {
  LatencyConstants constants;
  constants.vector[static_cast<std::size_t>(task)] = {per_tile, {per_element, 0.0, 0.0}};
  return constants;
}

TEST(OperationWork, ShufflesCostByThePixel) {
  const Workload work =
      Chain({1, 2, 58, 20, 20}).move(WorkKind::kMover, "Transpose", {1, 58, 2, 20, 20}).done();
  const OperationWork last = last_work(work, only(VectorTask::kShuffle, 0.0, 3.0));
  ASSERT_EQ(last.stages.size(), 1U);
  EXPECT_DOUBLE_EQ(last.stages[0].cycles, 3.0 * 20 * 20);
  EXPECT_EQ(last.stages[0].tiles, 3);  // strips of 8 rows
}

TEST(OperationWork, ReshapesToFiveAxesAreFree) {
  const Workload work =
      Chain({1, 116, 20, 20}).move(WorkKind::kReshape, "Reshape", {1, 2, 58, 20, 20}).done();
  EXPECT_TRUE(last_work(work, {}).stages.empty());
}

TEST(OperationWork, ExpandCostsByTheRow) {
  const Workload work =
      Chain({1, 64, 4, 1, 16}).move(WorkKind::kMover, "Expand", {1, 64, 4, 2, 16}).done();
  const OperationWork last = last_work(work, only(VectorTask::kExpandRows, 0.0, 5.0));
  ASSERT_EQ(last.stages.size(), 1U);
  EXPECT_DOUBLE_EQ(last.stages[0].cycles, 5.0 * 64 * 4 * 2);
}

TEST(OperationWork, PadsOfWholeBlocksOfChannelsAreFree) {
  const LatencyConstants constants = only(VectorTask::kPadChannels, 1000.0, 1.0);
  const auto pad = [&](std::int64_t from, std::int64_t to) {
    Chain chain({1, from, 8, 8});
    chain.conv(from, 1).move(WorkKind::kMover, "Pad", {1, to, 8, 8});
    return last_work(chain.done(), constants);
  };
  EXPECT_TRUE(pad(64, 128).stages.empty());
  ASSERT_EQ(pad(32, 64).stages.size(), 1U);
  EXPECT_DOUBLE_EQ(pad(32, 64).stages[0].cycles, 1000.0 + 64 * 8 * 8);
}

TEST(OperationWork, TheMeanOfOneAxisOfAMapIsOneThread) {
  Chain one({1, 32, 7, 7});
  one.conv(32, 1).move(WorkKind::kReduce, "ReduceMean", {1, 32, 7});
  const LatencyConstants constants = only(VectorTask::kMeanAxis, 0.0, 2.0);
  const OperationWork axis = last_work(one.done(), constants);
  ASSERT_EQ(axis.stages.size(), 1U);
  EXPECT_DOUBLE_EQ(axis.stages[0].cycles, 2.0 * 32 * 8 * 8);
  EXPECT_EQ(axis.stages[0].tiles, 1);
  Chain both({1, 32, 7, 7});
  both.conv(32, 1).move(WorkKind::kReduce, "GlobalAveragePool", {1, 32, 1, 1});
  EXPECT_DOUBLE_EQ(last_work(both.done(), constants).stages[0].cycles, 0.0);
}

TEST(OperationWork, TablesOf16BitsAreFetchedWholeThoseOf8BitsReadInPlace) {
  const auto bytes = [](int bits, const char* op) {
    return last_work(
               Chain({1, 64}, bits).move(WorkKind::kMover, op, {1, 64, 128}, {1000, 128}).done(),
               {})
        .ddr_read_bytes;
  };
  // 125 transfers of 2048 bytes hold 256000 bytes, 63 hold 128000; the indices are one more.
  EXPECT_EQ(bytes(16, "Gather"), (125 + 1) * 2048);
  EXPECT_EQ(bytes(8, "Gather"), 2048);
  EXPECT_EQ(bytes(8, "Concat"), (63 + 1) * 2048);
}

TEST(OperationWork, WeightsOf16BitsHavePricesOfTheirOwn) {
  LatencyConstants constants;
  MatrixCost& dense = constants.matrix[static_cast<std::size_t>(MatrixTask::kDense)];
  dense.per_product = {1.0, 2.0, 0.0};
  dense.per_wide_product = 5.0;
  dense.per_weight = 10.0;
  dense.per_wide_weight = 100.0;
  const auto cycles = [&](int bits, int weight_bits) {
    // 8 x 8 pixels, 64 -> 96 channels: 1 * 2 * 3 products, 6 weight blocks in one strip.
    return last_work(Chain({1, 64, 8, 8}, bits).conv(96, 1, weight_bits).done(), constants)
        .stages.back()
        .cycles;
  };
  EXPECT_DOUBLE_EQ(cycles(16, 16), 5.0 * 6 + 100.0 * 6);
  EXPECT_DOUBLE_EQ(cycles(16, 8), 2.0 * 6 + 10.0 * 6);
  EXPECT_DOUBLE_EQ(cycles(8, 8), 1.0 * 6 + 10.0 * 6);
  dense.per_wide_product = 0.5;  // never below that of narrower weights
  EXPECT_DOUBLE_EQ(cycles(16, 16), 2.0 * 6 + 100.0 * 6);
}

TEST(OperationWork, ARowThatIsAddedToManyHasAPriceOfItsOwn) {
  const LatencyConstants constants = only(VectorTask::kAddRows, 0.0, 3.0);
  Chain chain({1, 1, 1, 64});
  const int mask = chain.value();
  chain.move(WorkKind::kMatMul, "MatMul", {1, 4, 32, 64}).add(mask);
  EXPECT_DOUBLE_EQ(last_work(chain.done(), constants).stages.at(0).cycles, 3.0 * 4 * 32 * 64);
  Chain alike({1, 4, 32, 64});
  const int value = alike.value();
  alike.unary(WorkKind::kActivation, "Sigmoid").add(value);
  EXPECT_DOUBLE_EQ(last_work(alike.done(), constants).stages.at(0).cycles, 0.0);
}

TEST(OperationWork, AScaleOf16BitsIsFreeOnlyInFrontOfASoftmax) {
  const auto stages = [](const char* next, WorkKind kind, int bits) {
    const Workload work = Chain({1, 4, 32, 64}, bits)
                              .unary(WorkKind::kActivation, "Sigmoid")
                              .move(WorkKind::kElementwise, "Mul", {1, 4, 32, 64}, {1})
                              .unary(kind, next)
                              .done();
    return operation_work(work, Layout(work), {}, {})[1].stages.size();
  };
  EXPECT_EQ(stages("Softmax", WorkKind::kSoftmax, 16), 0U);
  EXPECT_EQ(stages("Tanh", WorkKind::kActivation, 16), 1U);
  EXPECT_EQ(stages("Softmax", WorkKind::kSoftmax, 8), 1U);
}

TEST(OperationWork, ConversionsCostByTheWidthTheyRead) {
  LatencyConstants constants;
  constants.vector[static_cast<std::size_t>(VectorTask::kConvert)] = {0.0, {3.0, 2.0, 0.0}};
  const auto cycles = [&](int from, int to) {
    Chain chain({1, 64, 64}, from);
    chain.unary(WorkKind::kSoftmax, "Softmax").convert(to).unary(WorkKind::kSoftmax, "Softmax");
    const Workload work = chain.done();
    return operation_work(work, Layout(work), constants, {})[1].stages.at(0).cycles;
  };
  EXPECT_DOUBLE_EQ(cycles(8, 16), 3.0 * 64 * 64);
  EXPECT_DOUBLE_EQ(cycles(16, 8), 2.0 * 64 * 64);
}

TEST(OperationWork, AConversionBetweenLayersIsOneTask) {
  LatencyConstants constants;
  constants.vector[static_cast<std::size_t>(VectorTask::kConvertRows)] = {0.0, {3.0, 2.0, 0.0}};
  const auto conversion = [&](WorkKind next, const char* op) {
    const Workload work = Chain({1, 64, 64})
                              .move(WorkKind::kFullyConnected, "MatMul", {1, 64, 64}, {64, 64})
                              .convert(16)
                              .move(next, op, {1, 64, 64}, {64, 64})
                              .done();
    return operation_work(work, Layout(work), constants, {})[1].stages.at(0);
  };
  EXPECT_DOUBLE_EQ(conversion(WorkKind::kFullyConnected, "MatMul").cycles, 3.0 * 64 * 64);
  EXPECT_EQ(conversion(WorkKind::kFullyConnected, "MatMul").tiles, 1);
  EXPECT_DOUBLE_EQ(conversion(WorkKind::kElementwise, "Add").cycles, 0.0);
}

/// Cycles of the steps at the borders of a map that comes in and leaves, one task at a time.
double border_cycles(const Workload& workload, VectorTask task, double share = 1.0,
                     double per_element = 1.0) {
  LatencyConstants constants = only(task, 0.0, per_element);
  constants.vector_threads = 4.0;
  constants.serial_map_share = constants.serial_channels_share = share;
  constants.serial_output_share = share;
  double cycles = 0.0;
  for (const OperationWork& work : operation_work(workload, Layout(workload), constants, {})) {
    for (const Stage& stage : work.stages) cycles += stage.is_boundary ? stage.cycles : 0.0;
  }
  return cycles;
}

/// 48 channels of 20 x 40, in and out.
Workload one_layer() {
  return Chain({1, 48, 20, 40}).conv(48, 1).done();
}

TEST(OperationWork, AMapAtABorderChangesItsAxesTwice) {
  // NCHW <-> NHCW in blocks of 8 x 32 of the last two axes: 48 channels, 20 rows fill 24, 40
  // columns 64; NHCW <-> NHWC: 20 rows, 48 channels. Once for the input, once for the output.
  EXPECT_DOUBLE_EQ(border_cycles(one_layer(), VectorTask::kSwapRows), 2.0 * 48 * 24 * 64);
  EXPECT_DOUBLE_EQ(border_cycles(one_layer(), VectorTask::kSwapColumns), 2.0 * 20 * 48 * 64);
  // Rows alone fill blocks of 32.
  EXPECT_DOUBLE_EQ(border_cycles(one_layer(), VectorTask::kTile), 48.0 * 20 * 64);
  EXPECT_DOUBLE_EQ(border_cycles(one_layer(), VectorTask::kCopyWide), 48.0 * 20 * 64);
  EXPECT_DOUBLE_EQ(border_cycles(one_layer(), VectorTask::kCopyOut), 0.0);
}

TEST(OperationWork, ShortRowsLeaveSlowly) {
  const Workload work = Chain({1, 64, 7, 7}).conv(64, 1).done();
  EXPECT_DOUBLE_EQ(border_cycles(work, VectorTask::kCopyOut), 64.0 * 7 * 32);
  // The further cost comes on top of the copy, which costs nothing here.
  LatencyConstants constants = only(VectorTask::kCopyShort, 0.0, 2.0);
  constants.serial_output_share = 1.0;
  const OperationWork last = operation_work(work, Layout(work), constants, {}).back();
  EXPECT_DOUBLE_EQ(last.stages.back().cycles, 2.0 * 64 * 7 * (1.0 - 7.0 / 16.0));
}

TEST(OperationWork, LargeMapsAreReOrderedByStripsAndSlices) {
  const auto most_tiles = [](double share) {
    LatencyConstants constants = only(VectorTask::kSwapRows, 0.0, 1.0);
    constants.serial_channels_share = constants.serial_map_share = share;
    constants.serial_output_share = 1.0;
    const Workload work = one_layer();
    int tiles = 0;
    for (const OperationWork& item : operation_work(work, Layout(work), constants, {})) {
      for (const Stage& stage : item.stages) {
        if (stage.is_boundary && stage.cycles > 0.0) tiles = std::max(tiles, stage.tiles);
      }
    }
    return tiles;
  };
  EXPECT_EQ(most_tiles(1.0), 1);    // 73728 bytes in blocks, of 8 MB
  EXPECT_EQ(most_tiles(0.001), 3);  // strips of 8 rows
}

TEST(OperationWork, RowsOfSoftmaxHaveAStart) {
  const auto softmax = [](std::int64_t row) {
    return Chain({1, 128, row}).move(WorkKind::kSoftmax, "Softmax", {1, 128, row}).done();
  };
  const OperationWork rows = last_work(softmax(64), only(VectorTask::kSoftmaxRows, 0.0, 3.0));
  ASSERT_EQ(rows.stages.size(), 1U);
  EXPECT_DOUBLE_EQ(rows.stages[0].cycles, 3.0 * 128);
  EXPECT_EQ(rows.stages[0].tiles, 2);  // of 64 rows
  const LatencyConstants brief = only(VectorTask::kSoftmaxShort, 0.0, 300.0);
  EXPECT_DOUBLE_EQ(last_work(softmax(64), brief).stages[0].cycles, 128.0 * (300 - 64));
  EXPECT_DOUBLE_EQ(last_work(softmax(320), brief).stages[0].cycles, 0.0);
}

TEST(OperationWork, NormalizationFindsMomentsFirst) {
  const auto norm = [](std::int64_t rows) {
    return Chain({1, rows, 64})
        .move(WorkKind::kNormalization, "LayerNormalization", {1, rows, 64})
        .done();
  };
  LatencyConstants constants = only(VectorTask::kMoments, 100.0, 1.0);
  constants.vector[static_cast<std::size_t>(VectorTask::kNormalize)] = {10.0, {2.0, 0.0, 0.0}};
  constants.vector_threads = 4.0;
  // 128 rows: one thread finds the moments, then two slices of 32 features.
  const OperationWork even = last_work(norm(128), constants);
  ASSERT_EQ(even.stages.size(), 2U);
  EXPECT_EQ(even.stages[0].tiles, 1);
  EXPECT_DOUBLE_EQ(even.stages[0].cycles, 100.0 + 128 * 64);
  EXPECT_EQ(even.stages[1].tiles, 2);
  EXPECT_DOUBLE_EQ(even.stages[1].cycles, 2 * 10.0 + 2.0 * 128 * 64);
  EXPECT_TRUE(even.stages[1].needs_all);
  // 100 rows fill 104 and go by strips of 32.
  const OperationWork odd = last_work(norm(100), constants);
  ASSERT_EQ(odd.stages.size(), 2U);
  EXPECT_EQ(odd.stages[0].tiles, 4);
  EXPECT_DOUBLE_EQ(odd.stages[0].cycles, 4 * 100.0 + 104 * 64);
  EXPECT_FALSE(odd.stages[1].needs_all);
}

TEST(OperationWork, AConcatOfPartsOfBlocksGoesByStrips) {
  Chain chain({1, 16, 20, 20});
  chain.conv(16, 1).move(WorkKind::kMover, "Concat", {1, 48, 20, 20});
  const OperationWork last = last_work(chain.done(), only(VectorTask::kConcat, 0.0, 1.0));
  ASSERT_EQ(last.stages.size(), 1U);
  EXPECT_EQ(last.stages[0].tiles, 3);
  EXPECT_DOUBLE_EQ(last.stages[0].cycles, 64.0 * 24 * 24);
}

LatencyConstants only_16_bits(VectorTask task, double per_tile, double per_element) {
  LatencyConstants constants;
  constants.vector[static_cast<std::size_t>(task)] = {per_tile, {0.0, per_element, 0.0}};
  return constants;
}

TEST(OperationWork, GeluOf16BitsLiesFlatUnlessItsLayerReadsNormalizedRows) {
  const auto gelu = [](std::int64_t rows, bool normalized) {
    Chain chain({1, rows, 32}, 16);
    if (normalized) chain.move(WorkKind::kNormalization, "LayerNormalization", {1, rows, 32});
    return chain.move(WorkKind::kFullyConnected, "MatMul", {1, rows, 256}, {32, 256})
        .move(WorkKind::kActivation, "Gelu", {1, rows, 256})
        .done();
  };
  LatencyConstants constants = only_16_bits(VectorTask::kFlatFunction, 10.0, 2.0);
  constants.vector[static_cast<std::size_t>(VectorTask::kFlatJoin)] = {7.0, {0.0, 0.5, 0.0}};
  constants.vector[static_cast<std::size_t>(VectorTask::kFunction)] = {0.0, {0.0, 1.0, 0.0}};
  const OperationWork flat = last_work(gelu(64, false), constants);
  ASSERT_EQ(flat.stages.size(), 2U);
  EXPECT_EQ(flat.stages[0].tiles, 2);  // of 8192 elements
  EXPECT_DOUBLE_EQ(flat.stages[0].cycles, 2 * 10.0 + 2.0 * 64 * 256);
  EXPECT_EQ(flat.stages[1].tiles, 1);
  EXPECT_DOUBLE_EQ(flat.stages[1].cycles, 7.0 + 0.5 * 64 * 256);
  EXPECT_TRUE(flat.stages[1].needs_all);
  const OperationWork blocks = last_work(gelu(64, true), constants);
  ASSERT_EQ(blocks.stages.size(), 1U);
  EXPECT_DOUBLE_EQ(blocks.stages[0].cycles, 64.0 * 256);
  EXPECT_EQ(last_work(gelu(60, false), constants).stages.size(), 1U);  // no whole blocks of rows
}

TEST(OperationWork, HeadsAreMovedOneByOneWhenTheRowsFillBlocks) {
  const auto tiles = [](const Shape& from, WorkKind kind, const char* op, const Shape& to) {
    return last_work(Chain(from).move(kind, op, to).done(), {}).stages.at(0).tiles;
  };
  EXPECT_EQ(tiles({1, 64, 4, 64}, WorkKind::kMover, "Transpose", {1, 4, 64, 64}), 4);
  EXPECT_EQ(tiles({1, 64, 4, 16}, WorkKind::kMover, "Transpose", {1, 4, 16, 64}), 4);
  EXPECT_EQ(tiles({1, 4, 64, 16}, WorkKind::kMover, "Transpose", {1, 64, 4, 16}), 1);
  EXPECT_EQ(tiles({1, 8, 64, 64}, WorkKind::kMover, "Transpose", {1, 64, 8, 64}), 1);
  EXPECT_EQ(tiles({1, 50, 4, 64}, WorkKind::kMover, "Transpose", {1, 4, 50, 64}), 1);
  EXPECT_EQ(tiles({1, 64, 256}, WorkKind::kReshape, "Reshape", {1, 64, 4, 64}), 4);
  EXPECT_EQ(tiles({1, 64, 4, 64}, WorkKind::kReshape, "Reshape", {1, 64, 256}), 4);
  EXPECT_EQ(tiles({1, 64, 128}, WorkKind::kReshape, "Reshape", {1, 32, 256}), 1);
}

TEST(OperationWork, HeadsOfOneBlockOf8BitsStayWhereTheyAre) {
  const auto stages = [](const Shape& from, WorkKind kind, const char* op, const Shape& to,
                         int bits = 8) {
    return last_work(Chain(from, bits).move(kind, op, to).done(), {}).stages.size();
  };
  EXPECT_EQ(stages({1, 64, 4, 32}, WorkKind::kMover, "Transpose", {1, 4, 64, 32}), 0U);
  EXPECT_EQ(stages({1, 64, 4, 32}, WorkKind::kMover, "Transpose", {1, 4, 32, 64}), 0U);
  EXPECT_EQ(stages({1, 4, 64, 32}, WorkKind::kMover, "Transpose", {1, 64, 4, 32}), 0U);
  EXPECT_EQ(stages({1, 64, 128}, WorkKind::kReshape, "Reshape", {1, 64, 4, 32}), 0U);
  EXPECT_EQ(stages({1, 64, 4, 32}, WorkKind::kMover, "Transpose", {1, 4, 64, 32}, 16), 1U);
  EXPECT_EQ(stages({1, 96, 4, 32}, WorkKind::kMover, "Transpose", {1, 4, 96, 32}), 1U);
}

TEST(OperationWork, FloatRowsLeaveWholeBehindANormalizationOf16Bits) {
  const auto tiles = [](std::int64_t rows, int bits, WorkKind kind) {
    Workload work = Chain({1, rows, 64}, bits)
                        .move(kind, "Any", {1, rows, 64})
                        .unary(WorkKind::kConversion, "DequantizeLinear")
                        .done();
    work.tensors.back().is_float = true;
    work.tensors.back().bits = 32;
    WorkOptions options;
    options.io_on_device = true;
    return operation_work(work, Layout(work), {}, options).back().stages.back().tiles;
  };
  EXPECT_EQ(tiles(128, 16, WorkKind::kNormalization), 1);
  EXPECT_EQ(tiles(100, 16, WorkKind::kNormalization), 4);
  EXPECT_EQ(tiles(128, 8, WorkKind::kNormalization), 4);
  EXPECT_EQ(tiles(128, 16, WorkKind::kSoftmax), 4);
}

}  // namespace
}  // namespace hexquant::perf
