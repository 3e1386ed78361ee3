#include "calibrate/gather_layer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/depthwise_moments.h"
#include "calibrate/moment_accumulator.h"
#include "hexquant/error.h"
#include "runtime/session.h"
#include "support/graph_builder.h"
#include "support/memory_dataset.h"

namespace hexquant::calibrate {
namespace {

using graph::Graph;
using Ints = std::vector<std::int64_t>;

Tensor random_tensor(const Shape& shape, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.3F, 1.0F);
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) value = normal(random);
  return Tensor::from<float>(shape, values);
}

double at(const Tensor& tensor, std::int64_t index) {
  return tensor.data<float>()[static_cast<std::size_t>(index)];
}

/// A layer y = W x + b with another input on the quantized side, and a value that is added to y.
/// Strides and pads are the same on both spatial axes.
struct Case {
  std::string op;
  Shape input;
  Shape weight;
  Shape output;
  std::int64_t groups = 1;
  std::int64_t stride = 1;
  std::int64_t pad = 0;
  bool weight_first = false;
};

const Case kConv = {"Conv", {2, 3, 7, 4}, {4, 3, 3, 2}, {2, 4, 4, 3}, 1, 2, 1};
const Case kGrouped = {"Conv", {1, 4, 5, 5}, {6, 2, 3, 3}, {1, 6, 5, 5}, 2, 1, 1};
const Case kDepthwise = {"Conv", {2, 5, 7, 7}, {5, 1, 3, 3}, {2, 5, 4, 4}, 5, 2, 1};
const Case kTransposed = {"ConvTranspose", {1, 3, 3, 4}, {3, 2, 3, 3}, {1, 2, 5, 7}, 1, 2, 1};
const Case kGemm = {"Gemm", {40, 7}, {7, 3}, {40, 3}};
const Case kMatMulRight = {"MatMul", {2, 15, 7}, {7, 3}, {2, 15, 3}};
const Case kMatMulLeft = {"MatMul", {2, 7, 15}, {3, 7}, {2, 3, 15}, 1, 1, 0, true};
const std::vector<Case> kCases = {kConv, kGrouped,     kDepthwise, kTransposed,
                                  kGemm, kMatMulRight, kMatMulLeft};

bool is_convolution(const Case& c) {
  return c.op == "Conv" || c.op == "ConvTranspose";
}

/// The float graph: y = layer(x), z = y + s.
Graph float_graph(const Case& c) {
  graph::Attributes attributes;
  if (is_convolution(c)) {
    attributes = {{"group", c.groups}, {"strides", Ints(2, c.stride)}, {"pads", Ints(4, c.pad)}};
  }
  test::GraphBuilder builder;
  builder.input("x", c.input).input("s", c.output);
  std::vector<std::string> inputs = {"x", "w"};
  if (c.weight_first) inputs = {"w", "x"};
  return builder.constant("w", c.weight)
      .node(c.op, inputs, {"y"}, c.output, attributes)
      .node("Add", {"y", "s"}, {"z"}, c.output)
      .output("z")
      .graph();
}

/// Where the quantized side reads: other values under other names.
Graph quantized_graph(const Case& c) {
  return test::GraphBuilder()
      .input("x", c.input)
      .input("s", c.output)
      .scalar("k", 0.75F)
      .node("Mul", {"x", "k"}, {"x_seen"}, c.input)
      .node("Abs", {"s"}, {"s_seen"}, c.output)
      .output("x_seen")
      .output("s_seen")
      .graph();
}

std::int64_t outputs_of(const Case& c) {
  if (c.op == "Conv") return c.weight[0];
  if (c.op == "ConvTranspose") return c.weight[1] * c.groups;
  return c.weight[c.weight_first ? 0 : 1];
}

/// Element of a value of the layer's output shape.
double output_at(const Case& c, const Tensor& value, std::int64_t position, std::int64_t output) {
  const std::int64_t outputs = outputs_of(c);
  if (!is_convolution(c) && !c.weight_first) return at(value, position * outputs + output);
  const std::int64_t plane = value.size() / c.output[0] / outputs;
  return at(value, (position / plane * outputs + output) * plane + position % plane);
}

/// Column (channel of the group, row, column of the kernel) of one group at one position.
double input_at(const Case& c, const Tensor& x, std::int64_t position, std::int64_t group,
                std::int64_t column) {
  if (c.weight_first) {
    const std::int64_t width = c.input[2];
    return at(x, (position / width * c.input[1] + column) * width + position % width);
  }
  if (!is_convolution(c)) return at(x, position * c.input.back() + column);
  const std::int64_t taps = c.weight[2] * c.weight[3];
  const std::int64_t channel = group * (c.input[1] / c.groups) + column / taps;
  const std::int64_t k[2] = {column % taps / c.weight[3], column % c.weight[3]};
  const std::int64_t o[2] = {position / c.output[3] % c.output[2], position % c.output[3]};
  std::int64_t i[2];
  for (int axis = 0; axis < 2; ++axis) {
    if (c.op == "Conv") {
      i[axis] = o[axis] * c.stride - c.pad + k[axis];
    } else {  // the input that lands on o through tap k
      i[axis] = o[axis] + c.pad - k[axis];
      if (i[axis] % c.stride != 0) return 0.0;
      i[axis] /= c.stride;
    }
    if (i[axis] < 0 || i[axis] >= c.input[2 + axis]) return 0.0;
  }
  const std::int64_t batch = position / (c.output[2] * c.output[3]);
  return at(x, ((batch * c.input[1] + channel) * c.input[2] + i[0]) * c.input[3] + i[1]);
}

constexpr std::int64_t kSamples = 3;
/// At least every case's positions; so many that each sample fills a chunk of its own.
constexpr std::int64_t kAllInManyChunks = 100000;
/// As many as the largest case has, 40 a sample.
constexpr std::int64_t kAllInOneChunk = 120;
/// Positions kept: all cases have that many.
constexpr std::int64_t kKept = quant::LayerSamples::kMultiple;

/// Everything that gather_layer needs, and what it should find.
class Scene {
 public:
  explicit Scene(Case c) : case_(std::move(c)), float_(float_graph(case_)) {
    quantized_ = quantized_graph(case_);
    std::vector<data::Sample> samples;
    for (std::uint32_t i = 0; i < kSamples; ++i) {
      samples.push_back(
          {{"x", random_tensor(case_.input, 10 + i)}, {"s", random_tensor(case_.output, 20 + i)}});
    }
    samples_ = samples;
    dataset_ = std::make_unique<test::MemoryDataset>(std::move(samples));
    layout_ = *quant::WeightMatrix::find(float_, node());
    weights_ = layout_.to_matrix(float_.find_initializer("w")->data<float>());
    for (std::int64_t o = 0; o < outputs_of(case_); ++o) {
      bias_.push_back(0.5F * static_cast<float>(o) - 1.0F);
    }
    const runtime::Session session(float_, {}, {"y"});
    const runtime::Session seen(quantized_, {}, {"x_seen", "s_seen"});
    for (const data::Sample& sample : samples_) {
      outputs_.push_back(session.run(sample).front());
      auto values = seen.run(sample);
      inputs_seen_.push_back(values[0]);
      addends_seen_.push_back(values[1]);
    }
  }

  [[nodiscard]] const graph::Node& node() const { return *float_.producer("y"); }
  [[nodiscard]] const quant::WeightMatrix& layout() const { return layout_; }

  [[nodiscard]] GatheredLayer gather(const GatherOptions& options, bool with_addend = true,
                                     const std::string& addend = "s") const {
    const ValueStream reference(*dataset_, kSamples, options.threads);
    const ValueStream prefix(*dataset_, kSamples, options.threads);
    return gather_layer({float_, node(), layout_, weights_, bias_},
                        {reference, float_, "x", with_addend ? addend : ""},
                        {prefix, quantized_, "x_seen",
                         !with_addend    ? ""
                         : addend == "s" ? "s_seen"
                                         : addend},
                        options);
  }

  [[nodiscard]] std::int64_t positions_of_sample() const {
    return element_count(case_.output) / outputs_of(case_);
  }
  [[nodiscard]] std::int64_t positions() const { return kSamples * positions_of_sample(); }

  /// Input that the quantized side sees, position by position through all samples.
  [[nodiscard]] double seen(std::int64_t group, std::int64_t position, std::int64_t column) const {
    return input_at(case_, inputs_seen_[index(position)], position % positions_of_sample(), group,
                    column);
  }
  /// W x + b + (s - s^).
  [[nodiscard]] double target(std::int64_t group, std::int64_t position, std::int64_t row,
                              bool with_addend) const {
    const std::int64_t p = position % positions_of_sample();
    const std::int64_t output = group * layout_.rows() + row;
    double value = output_at(case_, outputs_[index(position)], p, output) +
                   bias_[static_cast<std::size_t>(output)];
    if (with_addend) {
      value += output_at(case_, samples_[index(position)].at("s"), p, output) -
               output_at(case_, addends_seen_[index(position)], p, output);
    }
    return value;
  }

 private:
  [[nodiscard]] std::size_t index(std::int64_t position) const {
    return static_cast<std::size_t>(position / positions_of_sample());
  }

  Case case_;
  Graph float_;
  Graph quantized_;
  std::vector<data::Sample> samples_;
  std::unique_ptr<test::MemoryDataset> dataset_;
  quant::WeightMatrix layout_;
  std::vector<float> weights_;
  std::vector<float> bias_;
  std::vector<Tensor> outputs_;
  std::vector<Tensor> inputs_seen_;
  std::vector<Tensor> addends_seen_;
};

constexpr double kFloatSum = 1e-4;  // float sums of at most 150 products around 1

using Value = std::function<double(std::int64_t position)>;

double mean(std::int64_t count, const Value& value) {
  double sum = 0.0;
  for (std::int64_t p = 0; p < count; ++p) sum += value(p);
  return sum / static_cast<double>(count);
}

double covariance(std::int64_t count, const Value& a, const Value& b) {
  const double mean_a = mean(count, a);
  const double mean_b = mean(count, b);
  return mean(count, [&](std::int64_t p) { return (a(p) - mean_a) * (b(p) - mean_b); });
}

void expect_moments(const Scene& scene, const quant::LayerMoments& moments, bool with_addend) {
  const std::int64_t n = scene.layout().columns();
  const std::int64_t m = scene.layout().rows();
  const std::int64_t count = scene.positions();
  ASSERT_EQ(moments.count, count);
  ASSERT_EQ(moments.groups, scene.layout().groups());
  ASSERT_EQ(moments.rows, m);
  ASSERT_EQ(moments.columns, n);
  const auto input = [&](std::int64_t g, std::int64_t c) -> Value {
    return [&scene, g, c](std::int64_t p) { return scene.seen(g, p, c); };
  };
  for (std::int64_t g = 0; g < moments.groups; ++g) {
    for (std::int64_t i = 0; i < n; ++i) {
      EXPECT_NEAR(moments.mean[static_cast<std::size_t>(g * n + i)], mean(count, input(g, i)),
                  kFloatSum);
      for (std::int64_t j = 0; j < n; ++j) {
        EXPECT_NEAR(moments.gram[static_cast<std::size_t>((g * n + i) * n + j)],
                    covariance(count, input(g, i), input(g, j)), kFloatSum)
            << "group " << g << ": " << i << ", " << j;
      }
    }
    for (std::int64_t r = 0; r < m; ++r) {
      const Value target = [&](std::int64_t p) { return scene.target(g, p, r, with_addend); };
      EXPECT_NEAR(moments.target_mean[static_cast<std::size_t>(g * m + r)], mean(count, target),
                  kFloatSum);
      for (std::int64_t c = 0; c < n; ++c) {
        EXPECT_NEAR(moments.cross[static_cast<std::size_t>((g * m + r) * n + c)],
                    covariance(count, target, input(g, c)), kFloatSum)
            << "group " << g << ": " << r << ", " << c;
      }
    }
  }
}

std::string name_of(const Case& c) {
  return c.op + shape_text(c.input) + shape_text(c.weight);
}

TEST(GatherLayer, MomentsOfAllPositionsEqualTheDoubleReference) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(name_of(c));
    const Scene scene(c);
    expect_moments(scene, scene.gather({.positions = kAllInManyChunks}, false).moments, false);
  }
}

TEST(GatherLayer, TargetsHoldWhatTheAddendLost) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(name_of(c));
    const Scene scene(c);
    expect_moments(scene, scene.gather({.positions = kAllInManyChunks}, true).moments, true);
  }
}

TEST(GatherLayer, SamplesAreThePositionsThemselves) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(name_of(c));
    const Scene scene(c);
    const quant::LayerSamples kept =
        scene.gather({.positions = kAllInOneChunk, .kept_positions = kKept}).samples;
    const quant::WeightMatrix& layout = scene.layout();
    ASSERT_EQ(kept.count, kKept);
    ASSERT_EQ(static_cast<std::int64_t>(kept.inputs.size()),
              kKept * layout.groups() * layout.columns());
    ASSERT_EQ(static_cast<std::int64_t>(kept.targets.size()),
              kKept * layout.groups() * layout.rows());
    for (std::int64_t g = 0; g < layout.groups(); ++g) {
      for (std::int64_t p = 0; p < kKept; ++p) {
        for (std::int64_t i = 0; i < layout.columns(); ++i) {
          EXPECT_NEAR(kept.input(g, i)[p], scene.seen(g, p, i), kFloatSum) << g << " " << i;
        }
        for (std::int64_t r = 0; r < layout.rows(); ++r) {
          EXPECT_NEAR(kept.target(g * layout.rows() + r)[p], scene.target(g, p, r, true), kFloatSum)
              << g << " " << r;
        }
      }
    }
  }
}

TEST(GatherLayer, KeepsWholeMultiplesAndOnlyWhenAsked) {
  const Scene scene(kTransposed);
  ASSERT_EQ(scene.positions(), 105);
  const auto kept = [&](std::int64_t wanted) {
    return scene.gather({.positions = kAllInOneChunk, .kept_positions = wanted}).samples.count;
  };
  EXPECT_EQ(kept(0), 0);
  EXPECT_EQ(kept(kKept - 1), 0);
  EXPECT_EQ(kept(5000), kKept) << "105 positions hold one multiple";
}

TEST(GatherLayer, DrawsAsManyPositionsAsAskedEvenlyOverTheSamples) {
  const Scene scene(kTransposed);
  constexpr std::int64_t kDrawn = 22;  // of the 35 of each sample
  GatherOptions options{.positions = 3 * kDrawn, .kept_positions = kKept, .seed = 1};
  const GatheredLayer few = scene.gather(options);
  EXPECT_EQ(few.moments.count, 3 * kDrawn);
  for (std::int64_t p = 0; p < kKept; ++p) {  // each is one of its sample's positions
    bool found = false;
    for (std::int64_t q = 0; q < scene.positions_of_sample() && !found; ++q) {
      double difference = 0.0;
      for (std::int64_t c = 0; c < scene.layout().columns(); ++c) {
        difference += std::abs(few.samples.input(0, c)[p] -
                               scene.seen(0, p / kDrawn * scene.positions_of_sample() + q, c));
      }
      found = difference < kFloatSum;
    }
    EXPECT_TRUE(found) << p;
  }
  options.seed = 2;
  EXPECT_NE(few.samples.inputs, scene.gather(options).samples.inputs) << "the seed draws";
}

TEST(GatherLayer, SameBytesForAnyNumberOfThreads) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(name_of(c));
    const Scene scene(c);
    GatherOptions options{.positions = 66, .kept_positions = kKept, .seed = 3};
    const GatheredLayer one = scene.gather(options);
    options.threads = 3;
    const GatheredLayer three = scene.gather(options);
    EXPECT_EQ(one.moments.gram, three.moments.gram);
    EXPECT_EQ(one.moments.cross, three.moments.cross);
    EXPECT_EQ(one.moments.mean, three.moments.mean);
    EXPECT_EQ(one.moments.target_mean, three.moments.target_mean);
    EXPECT_EQ(one.samples.inputs, three.samples.inputs);
    EXPECT_EQ(one.samples.targets, three.samples.targets);
  }
}

TEST(GatherLayer, RefusesAnAddendOfAnotherShape) {
  const Scene scene(kConv);
  try {
    (void)scene.gather({.positions = 10}, true, "x");
    FAIL() << "x does not have the shape of y";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    EXPECT_NE(std::string(error.what()).find("'y'"), std::string::npos) << error.what();
  }
}

TEST(DepthwiseMoments, EqualThoseOfTheMomentAccumulator) {
  constexpr std::int64_t kChannels = 21;  // no multiple of a vector
  constexpr std::int64_t kTaps = 9;
  constexpr double kFloatOrder = 1e-4;  // float sums of 300 products in another order
  MomentAccumulator dense(kChannels, 1, kTaps, 1);
  DepthwiseMoments depthwise(kChannels, kTaps, 3);
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  for (const std::int64_t count : {128, 1, 171}) {
    std::vector<float> inputs(static_cast<std::size_t>(count * kTaps * kChannels));
    std::vector<float> targets(static_cast<std::size_t>(count * kChannels));
    for (float& value : inputs) value = 20.0F + normal(random);
    for (float& value : targets) value = normal(random) - 7.0F;
    std::vector<float> by_channel;
    std::vector<float> targets_by_channel;
    for (std::int64_t c = 0; c < kChannels; ++c) {
      for (std::int64_t i = 0; i < count * kTaps; ++i) {
        by_channel.push_back(inputs[static_cast<std::size_t>(i * kChannels + c)]);
      }
      for (std::int64_t p = 0; p < count; ++p) {
        targets_by_channel.push_back(targets[static_cast<std::size_t>(p * kChannels + c)]);
      }
    }
    dense.add(by_channel, targets_by_channel, count);
    depthwise.add(inputs, targets, count);
  }
  const quant::LayerMoments expected = dense.finish();
  const quant::LayerMoments moments = depthwise.finish();
  EXPECT_EQ(moments.groups, kChannels);
  EXPECT_EQ(moments.rows, 1);
  EXPECT_EQ(moments.columns, kTaps);
  EXPECT_EQ(moments.count, 300);
  const auto expect_near = [&](const auto& a, const auto& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], kFloatOrder) << i;
  };
  expect_near(moments.gram, expected.gram);
  expect_near(moments.mean, expected.mean);
  expect_near(moments.cross, expected.cross);
  expect_near(moments.target_mean, expected.target_mean);
}

}  // namespace
}  // namespace hexquant::calibrate
