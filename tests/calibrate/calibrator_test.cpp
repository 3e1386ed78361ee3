#include "calibrate/calibrator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "calibrate/depthwise_gram.h"
#include "calibrate/gram_accumulator.h"
#include "calibrate/scan_kernels.h"
#include "calibrate/value_accumulator.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "runtime/session.h"
#include "support/memory_dataset.h"
#include "support/temp_folder.h"

namespace hexquant::calibrate {
namespace {

using graph::Graph;
using testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<data::Sample> random_images(int count, const Shape& shape) {
  std::mt19937 random(11);
  std::normal_distribution<float> normal;
  std::vector<data::Sample> samples;
  for (int i = 0; i < count; ++i) {
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (float& value : values) value = normal(random) * static_cast<float>(1 + i % 3);
    samples.push_back({{"image", Tensor::from<float>(shape, values)}});
  }
  return samples;
}

/// Every float value of the test CNN, with all that can be gathered.
struct CnnCase {
  Graph graph = formats::read_onnx(test::test_data("models/tiny_cnn.onnx"));
  test::MemoryDataset dataset{random_images(13, {1, 3, 8, 8})};
  std::map<std::string, Tap> taps;
  std::vector<GramRequest> grams;

  CnnCase() {
    taps["image"] = {true, true, 1};
    for (const graph::Node& node : graph.nodes()) {
      taps[node.output()] = {true, true, 1};
      if (node.is("Conv") || node.is("Gemm")) grams.push_back({node.name(), 1000});
    }
  }
  [[nodiscard]] quant::Statistics run(int threads, std::uint64_t seed = 0) const {
    return calibrate(graph, dataset, taps, grams, {threads, seed}, silent_progress());
  }
};

TEST(Calibrate, EqualsTheWholeSampleReference) {
  const CnnCase cnn;
  const quant::Statistics got = cnn.run(2);
  EXPECT_EQ(got.samples, 13);
  std::vector<std::string> names;
  for (const auto& [name, tap] : cnn.taps) names.push_back(name);
  const runtime::Session session(cnn.graph, {}, names);
  std::vector<std::vector<Tensor>> outputs;
  for (std::int64_t i = 0; i < cnn.dataset.size(); ++i) {
    outputs.push_back(session.run(cnn.dataset.load(i)));
  }
  const auto scratch = std::make_unique<CountScratch>();
  for (std::size_t v = 0; v < names.size(); ++v) {
    SCOPED_TRACE(names[v]);
    const quant::ValueStatistics& value = got.values.at(names[v]);
    ValueAccumulator expected(true, scalar_scan_kernels());
    const std::int64_t channels = outputs[0][v].shape().at(1);
    std::vector<double> sum(static_cast<std::size_t>(channels));
    std::vector<double> squares(sum.size());
    std::vector<float> low(sum.size(), std::numeric_limits<float>::infinity());
    std::vector<float> high(sum.size(), -std::numeric_limits<float>::infinity());
    std::int64_t count = 0;
    for (const auto& sample : outputs) {
      const auto data = sample[v].data<float>();
      expected.add(data.data(), data.size(), *scratch);
      const std::size_t inner = data.size() / sum.size();
      for (std::size_t i = 0; i < data.size(); ++i) {
        sum[i / inner] += data[i];
        squares[i / inner] += double{data[i]} * data[i];
        low[i / inner] = std::min(low[i / inner], data[i]);
        high[i / inner] = std::max(high[i / inner], data[i]);
      }
      count += static_cast<std::int64_t>(inner);
    }
    EXPECT_EQ(value.min, expected.finish().min);
    EXPECT_EQ(value.max, expected.finish().max);
    EXPECT_EQ(value.count, expected.finish().count);
    EXPECT_EQ(value.zero_count, expected.finish().zero_count);
    EXPECT_EQ(value.histogram.exponent, expected.finish().histogram.exponent);
    EXPECT_EQ(value.histogram.counts, expected.finish().histogram.counts);
    ASSERT_TRUE(value.channels.has_value());
    EXPECT_EQ(value.channels->count, count);
    EXPECT_EQ(value.channels->min, low);
    EXPECT_EQ(value.channels->max, high);
    constexpr double kDoubleSum = 1e-9;
    for (std::size_t c = 0; c < sum.size(); ++c) {
      EXPECT_NEAR(value.channels->sum.at(c), sum[c], kDoubleSum);
      EXPECT_NEAR(value.channels->sum_of_squares.at(c), squares[c], kDoubleSum);
    }
  }
}

TEST(Calibrate, DoesNotDependOnTheNumberOfThreads) {
  const CnnCase cnn;
  const quant::Statistics expected = cnn.run(1);
  for (const int threads : {2, 5}) {
    const quant::Statistics got = cnn.run(threads);
    ASSERT_EQ(got.values.size(), expected.values.size());
    for (const auto& [name, value] : expected.values) {
      const quant::ValueStatistics& other = got.values.at(name);
      EXPECT_EQ(other.min, value.min);
      EXPECT_EQ(other.max, value.max);
      EXPECT_EQ(other.histogram.counts, value.histogram.counts);
      EXPECT_EQ(other.channels->sum, value.channels->sum) << name;
      EXPECT_EQ(other.channels->sum_of_squares, value.channels->sum_of_squares);
      EXPECT_EQ(other.channels->min, value.channels->min);
      EXPECT_EQ(other.channels->max, value.channels->max);
    }
    ASSERT_EQ(got.grams.size(), expected.grams.size());
    for (const auto& [name, gram] : expected.grams) {
      EXPECT_EQ(got.grams.at(name).gram, gram.gram) << name;
      EXPECT_EQ(got.grams.at(name).sum, gram.sum);
      EXPECT_EQ(got.grams.at(name).count, gram.count);
    }
  }
}

/// E[y y] of a layer without bias follows from its Gram matrix: sum y_m^2 = w_m^T H w_m.
TEST(Calibrate, GramMatricesExplainTheOutputs) {
  Graph graph;
  graph.opsets[""] = 13;
  graph.add_input("image",
                  {DType::kFloat32, std::vector<graph::Dim>{{1, ""}, {4, ""}, {6, ""}, {5, ""}}});
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  const auto conv = [&](const std::string& name, const Shape& shape, std::int64_t group) {
    std::vector<float> weight(static_cast<std::size_t>(element_count(shape)));
    for (float& value : weight) value = normal(random);
    graph.add_initializer(name + "_w", Tensor::from<float>(shape, weight));
    graph.add_node({"Conv",
                    {"image", name + "_w"},
                    {name + "_y"},
                    {{"group", group}, {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}},
                    name});
    graph.set_type(name + "_y", {DType::kFloat32, std::nullopt});
    graph.add_output(name + "_y");
  };
  conv("full", {3, 4, 3, 3}, 1);
  conv("grouped", {6, 2, 3, 3}, 2);
  conv("depthwise", {4, 1, 3, 3}, 4);
  const test::MemoryDataset dataset(random_images(5, {1, 4, 6, 5}));
  std::map<std::string, Tap> taps;
  for (const std::string& output : graph.outputs()) taps[output] = {false, true, 1};
  const quant::Statistics got =
      calibrate(graph, dataset, taps, {{"full", 99}, {"grouped", 99}, {"depthwise", 99}}, {2, 7},
                silent_progress());
  for (const std::string name : {"full", "grouped", "depthwise"}) {
    const quant::LayerGram& gram = got.grams.at(name);
    const quant::ChannelMoments& output = *got.values.at(name + "_y").channels;
    EXPECT_EQ(gram.count, 5 * 30);
    const auto weight = graph.find_initializer(name + "_w")->data<float>();
    const auto columns = static_cast<std::size_t>(gram.columns);
    const std::size_t outputs = weight.size() / columns;
    for (std::size_t m = 0; m < outputs; ++m) {
      const std::size_t g = m * static_cast<std::size_t>(gram.groups) / outputs;
      double squares = 0.0;
      double sum = 0.0;
      for (std::size_t i = 0; i < columns; ++i) {
        sum += weight[m * columns + i] * gram.sum[g * columns + i];
        for (std::size_t j = 0; j < columns; ++j) {
          const float h = gram.gram[(g * columns + i) * columns + j];
          squares += double{weight[m * columns + i]} * h * weight[m * columns + j];
        }
      }
      constexpr double kFloatGram = 1e-4;  // relative
      EXPECT_NEAR(squares, output.sum_of_squares[m], kFloatGram * output.sum_of_squares[m]) << name;
      EXPECT_NEAR(sum, output.sum[m], kFloatGram * output.sum_of_squares[m]) << name;
    }
  }
}

TEST(Calibrate, DrawsTheSameNumberOfPositionsFromEverySample) {
  CnnCase cnn;
  for (GramRequest& request : cnn.grams) request.columns_per_sample = 3;
  const quant::Statistics got = cnn.run(2);
  for (const GramRequest& request : cnn.grams) {
    const bool one_row = got.grams.at(request.node).count == 13;  // Gemm has one row a sample
    EXPECT_TRUE(one_row || got.grams.at(request.node).count == 39) << request.node;
  }
  EXPECT_NE(got.grams.at(cnn.grams[1].node).gram, cnn.run(2, 1).grams.at(cnn.grams[1].node).gram);
}

TEST(DepthwiseGram, VariantsAgree) {
  if (!cpu_has_avx2()) GTEST_SKIP() << "this machine has no AVX2";
  std::mt19937 random(8);
  std::normal_distribution<float> normal;
  for (const std::size_t kernel : {1UL, 3UL, 9UL, 25UL, 1100UL}) {
    for (const std::size_t channels : {1UL, 8UL, 13UL}) {
      const std::size_t positions = kernel == 1100 ? 2 : 130;
      std::vector<float> columns(positions * kernel * channels);
      for (float& value : columns) value = normal(random);
      std::vector<float> expected((channels + 7) / 8 * 8 * kernel * kernel, 1.0F);
      std::vector<float> got = expected;
      depthwise_gram_scalar(columns.data(), positions, kernel, channels, expected.data());
      depthwise_gram_avx2(columns.data(), positions, kernel, channels, got.data());
      constexpr float kFloatSum = 1e-3F;  // 130 products around 1
      for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], kFloatSum);
    }
  }
}

TEST(DrawPositions, TakesOneFromEachSlice) {
  std::vector<std::int64_t> positions;
  draw_positions(3, 10, 1, positions);
  EXPECT_EQ(positions, (std::vector<std::int64_t>{0, 1, 2}));
  draw_positions(0, 10, 1, positions);
  EXPECT_TRUE(positions.empty());
  std::vector<int> drawn(11);
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    draw_positions(11, 4, seed, positions);
    ASSERT_EQ(positions.size(), 4U);
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_GE(positions[i], static_cast<std::int64_t>(i) * 3);
      EXPECT_LT(positions[i], std::min<std::int64_t>(11, static_cast<std::int64_t>(i) * 3 + 3));
      ++drawn[static_cast<std::size_t>(positions[i])];
    }
  }
  // 2000 draws of 1/3 each (1/2 in the short last slice).
  for (const int count : drawn) EXPECT_GT(count, 500);
}

/// x -> y = x + 1, plus an integer input that is passed on.
Graph small_graph() {
  Graph graph;
  graph.opsets[""] = 13;
  graph.add_input("x", {DType::kFloat32, std::vector<graph::Dim>{{1, ""}, {-1, "n"}}});
  graph.add_initializer("one", Tensor::scalar<float>(1.0F));
  graph.add_node({"Add", {"x", "one"}, {"y"}, {}, "add"});
  graph.add_node({"Shape", {"y"}, {"size"}, {}, "shape"});
  graph.set_type("y", {DType::kFloat32, std::nullopt});
  graph.set_type("size", {DType::kInt64, std::nullopt});
  graph.add_output("y");
  graph.add_output("size");
  return graph;
}

std::string calibrate_error(const Graph& graph, const data::Dataset& dataset,
                            const std::map<std::string, Tap>& taps, ErrorCode code,
                            const std::vector<GramRequest>& grams = {}) {
  try {
    (void)calibrate(graph, dataset, taps, grams, {2, 0}, silent_progress());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "no error";
}

TEST(Calibrate, LeavesOutNonFiniteElements) {
  const auto dataset = test::float_rows("x", {{1.0F, kNan, 3.0F}, {-INFINITY, 0.0F, -4.0F}});
  const quant::Statistics got =
      calibrate(small_graph(), dataset, {{"x", {}}, {"y", {}}}, {}, {1, 0}, silent_progress());
  EXPECT_EQ(got.values.at("x").non_finite_count, 2U);
  EXPECT_EQ(got.values.at("x").count, 4U);
  EXPECT_EQ(got.values.at("x").min, -4.0F);
  EXPECT_EQ(got.values.at("y").max, 4.0F);
}

TEST(Calibrate, NamesAValueWithoutFiniteElements) {
  const auto dataset = test::float_rows("x", {{kNan, kNan}, {INFINITY, kNan}});
  EXPECT_THAT(calibrate_error(small_graph(), dataset, {{"y", {}}}, ErrorCode::kInvalidData),
              HasSubstr("'y' had no finite element in 2 calibration samples"));
}

TEST(Calibrate, NamesWhatCannotBeGathered) {
  const auto dataset = test::float_rows("x", {{1.0F, 2.0F}});
  EXPECT_THAT(calibrate_error(small_graph(), dataset, {{"size", {}}}, ErrorCode::kUnsupported),
              HasSubstr("'size' is int64"));
  EXPECT_THAT(calibrate_error(small_graph(), dataset, {{"z", {}}}, ErrorCode::kInvalidArgument),
              HasSubstr("'z'"));
  EXPECT_THAT(
      calibrate_error(small_graph(), dataset, {{"y", {true, true, 2}}}, ErrorCode::kInvalidData),
      HasSubstr("no channel axis 2"));
  EXPECT_THAT(
      calibrate_error(small_graph(), dataset, {}, ErrorCode::kInvalidArgument, {{"nowhere", 1}}),
      HasSubstr("'nowhere'"));
  EXPECT_THAT(calibrate_error(small_graph(), dataset, {}, ErrorCode::kUnsupported, {{"add", 1}}),
              HasSubstr("'add'"));
}

TEST(Calibrate, NamesAValueWhoseChannelsChange) {
  const auto dataset = test::float_rows("x", {{1.0F, 2.0F}, {1.0F, 2.0F, 3.0F}});
  EXPECT_THAT(
      calibrate_error(small_graph(), dataset, {{"y", {true, true, -1}}}, ErrorCode::kInvalidData),
      HasSubstr("'y' has 3 channels, 2 in the first sample"));
}

/// Fails to load one sample.
class BrokenDataset final : public data::Dataset {
 public:
  [[nodiscard]] std::int64_t size() const override { return 40; }
  [[nodiscard]] data::Sample load(std::int64_t index) const override {
    if (index == 7) throw Error(ErrorCode::kIo, "sample 7 is broken");
    return {{"x", Tensor::from<float>({1, 2}, std::vector<float>{1, 2})}};
  }
  [[nodiscard]] std::string describe(std::int64_t index) const override {
    return std::to_string(index);
  }
};

TEST(Calibrate, ReportsTheFailureThatStoppedIt) {
  // Moments are added in sample order: those that wait for sample 7 must not wait for ever, and
  // must not hide the reason.
  const std::map<std::string, Tap> taps = {{"x", {true, true, 1}}, {"y", {true, true, 1}}};
  for (int repeat = 0; repeat < 20; ++repeat) {
    EXPECT_THAT(calibrate_error(small_graph(), BrokenDataset(), taps, ErrorCode::kIo),
                HasSubstr("sample 7 is broken"));
  }
}

class CancellingSink final : public ProgressSink {
 public:
  void begin(const std::string& stage, std::int64_t total) override {
    stage_ = stage;
    total_ = total;
  }
  void update(std::int64_t done) override { done_ = done; }
  void end() override {}
  [[nodiscard]] bool cancelled() const override { return done_ >= 3; }
  std::string stage_;
  std::int64_t total_ = 0;
  std::int64_t done_ = 0;
};

TEST(Calibrate, ShowsProgressAndCanBeCancelled) {
  CancellingSink sink;
  const test::MemoryDataset dataset(std::vector<data::Sample>(
      50, {{"x", Tensor::from<float>({1, 2}, std::vector<float>{1, 2})}}));
  try {
    (void)calibrate(small_graph(), dataset, {{"y", {}}}, {}, {1, 0}, sink);
    FAIL() << "not cancelled";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  }
  EXPECT_EQ(sink.stage_, "calibrate");
  EXPECT_EQ(sink.total_, 50);
  EXPECT_LT(sink.done_, 10);
}

}  // namespace
}  // namespace hexquant::calibrate
