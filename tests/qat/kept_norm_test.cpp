// BatchNormalization trained beside its layer, against LibTorch's own.
#include "qat/kept_norm.h"

#include <gtest/gtest.h>

#include "passes/fold_batch_norm.h"
#include "pipeline/training_norms.h"
#include "qat/qat_testing.h"
#include "support/graph_builder.h"

namespace hexquant::qat {
namespace {

constexpr double kEpsilon = 1e-3;
constexpr std::int64_t kChannels = 3;

torch::Tensor vector(std::vector<float> values) {
  return torch::tensor(std::move(values));
}

/// x [N, 2, 5, 5] -> Conv(w, b), a BatchNormalization and what a file would hold of it.
struct Layer {
  torch::Tensor weight = to_torch(testing::random_tensor({kChannels, 2, 3, 3}, 1));
  torch::Tensor bias = vector({0.5F, -0.25F, 0.0F});
  torch::Tensor gamma = vector({1.5F, -0.75F, 0.5F});
  torch::Tensor beta = vector({0.1F, 0.2F, -0.3F});
  torch::Tensor mean = vector({0.3F, -0.2F, 0.1F});
  torch::Tensor variance = vector({2.0F, 0.5F, 1.25F});

  [[nodiscard]] torch::Tensor factor() const { return gamma / (variance + kEpsilon).sqrt(); }
  [[nodiscard]] torch::Tensor folded_weight() const {
    return weight * factor().view({kChannels, 1, 1, 1});
  }
  [[nodiscard]] torch::Tensor folded_bias() const { return beta + (bias - mean) * factor(); }
  [[nodiscard]] BatchNorm norm() const {
    const torch::Tensor deviation = (variance + kEpsilon).sqrt();
    const auto floats = [](const torch::Tensor& values) {
      const auto* data = values.data_ptr<float>();
      return std::vector<float>(data, data + values.numel());
    };
    return {"w", "b", 0, floats(gamma), floats(beta), floats(deviation), kEpsilon};
  }
  [[nodiscard]] KeptNorm kept(NormMode mode) const {
    return {norm(), folded_weight(), folded_bias(), mode};
  }
};

torch::Tensor images(unsigned seed) {
  return to_torch(testing::random_tensor({4, 2, 5, 5}, seed));
}

torch::Tensor conv(const torch::Tensor& x, const torch::Tensor& weight,
                   const torch::Tensor& bias = {}) {
  return torch::conv2d(x, weight, bias);
}

void expect_close(const torch::Tensor& actual, const torch::Tensor& expected,
                  double tolerance = 2e-5) {
  ASSERT_EQ(actual.sizes(), expected.sizes());
  EXPECT_LT((actual - expected).abs().max().item<double>(), tolerance) << actual << "\nexpected\n"
                                                                       << expected;
}

TEST(KeptNorm, BeforeTrainingItIsTheFoldedLayer) {
  const Layer layer;
  for (const NormMode mode : {NormMode::kFrozen, NormMode::kKept}) {
    const KeptNorm kept = layer.kept(mode);
    expect_close(kept.folded_weight(), layer.folded_weight());
    expect_close(kept.folded_bias(), layer.folded_bias());
    expect_close(kept.parameters()[0].tensor, layer.weight);
    // The bias of the convolution is part of the mean.
    expect_close(kept.statistics()[0].tensor, layer.mean - layer.bias);
  }
}

TEST(KeptNorm, TrainsAsConvolutionAndBatchNormDo) {
  Layer layer;
  KeptNorm kept = layer.kept(NormMode::kKept);
  const torch::Tensor x = images(2);
  const torch::Tensor target = to_torch(testing::random_tensor({4, kChannels, 3, 3}, 3));
  const torch::Tensor y = kept.normalized(conv(x, kept.folded_weight()));
  (y * target).sum().backward();

  for (torch::Tensor* each : {&layer.weight, &layer.gamma, &layer.beta}) each->requires_grad_();
  torch::Tensor mean = layer.mean.clone();
  torch::Tensor variance = layer.variance.clone();
  const torch::Tensor expected =
      torch::batch_norm(conv(x, layer.weight, layer.bias), layer.gamma, layer.beta, mean, variance,
                        true, 0.1, kEpsilon, false);
  (expected * target).sum().backward();

  expect_close(y, expected);
  const std::vector<Parameter> parameters = kept.parameters();
  expect_close(parameters[0].tensor.grad(), layer.weight.grad(), 1e-3);
  expect_close(parameters[1].tensor.grad(), layer.gamma.grad(), 1e-3);
  expect_close(parameters[2].tensor.grad(), layer.beta.grad(), 1e-3);
  expect_close(kept.statistics()[0].tensor, mean - layer.bias);
  expect_close(kept.statistics()[1].tensor, variance);
}

TEST(KeptNorm, EstimatesTheMeanOfTheBatches) {
  const Layer layer;
  KeptNorm kept = layer.kept(NormMode::kKept);
  kept.begin_estimate();
  torch::Tensor means = torch::zeros({kChannels});
  torch::Tensor variances = torch::zeros({kChannels});
  const torch::NoGradGuard no_gradient;
  for (const unsigned seed : {5U, 6U}) {
    (void)kept.normalized(conv(images(seed), kept.folded_weight()));
    const torch::Tensor z = conv(images(seed), layer.weight);
    means += z.mean({0, 2, 3}) / 2;
    variances += z.var({0, 2, 3}, true) / 2;
  }
  expect_close(kept.statistics()[1].tensor, layer.variance);  // until it has ended
  kept.end_estimate(false);
  expect_close(kept.statistics()[0].tensor, means);
  expect_close(kept.statistics()[1].tensor, variances, 1e-4);
  kept.begin_estimate();
  (void)kept.normalized(conv(images(7), kept.folded_weight()));
  kept.end_estimate(true);
  expect_close(kept.statistics()[1].tensor, variances, 1e-4);
  expect_close(kept.statistics()[0].tensor, conv(images(7), layer.weight).mean({0, 2, 3}), 1e-4);
}

TEST(KeptNorm, AChannelWithoutGammaStaysConstant) {
  Layer layer;
  layer.gamma[1] = 0.0F;
  KeptNorm kept = layer.kept(NormMode::kKept);
  const torch::Tensor y = kept.normalized(conv(images(2), kept.folded_weight()));
  y.square().sum().backward();
  expect_close(y.select(1, 1), torch::full({4, 3, 3}, 0.2F));
  for (const Parameter& parameter : kept.parameters()) {
    EXPECT_TRUE(parameter.tensor.grad().isfinite().all().item<bool>()) << parameter.name;
  }
  expect_close(kept.folded_bias()[1], layer.beta[1]);
}

/// The same within a network, from a graph on: pass, record, forward and what is written back.
class KeptNormNetwork : public ::testing::TestWithParam<const char*> {
 protected:
  KeptNormNetwork() {
    const bool is_gemm = std::string(GetParam()) == "Gemm";
    test::GraphBuilder builder;
    builder.input("x", is_gemm ? Shape{4, 6} : Shape{4, 6, 3, 3});
    const Shape output = is_gemm ? Shape{4, kChannels} : Shape{4, kChannels, 3, 3};
    weight_shape_ = is_gemm                                      ? Shape{6, kChannels}
                    : std::string(GetParam()) == "ConvTranspose" ? Shape{6, kChannels, 1, 1}
                                                                 : Shape{kChannels, 6, 1, 1};
    builder.constant("w", weight_shape_)
        .constant("b", {kChannels})
        .node(GetParam(), {"x", "w", "b"}, {"z"}, output)
        .constant("gamma", {kChannels})
        .constant("beta", {kChannels})
        .constant("mean", {kChannels})
        .constant("variance", {kChannels})
        .constant("twice", is_gemm ? Shape{1, kChannels} : Shape{kChannels, 1, 1})
        .node("BatchNormalization", {"z", "gamma", "beta", "mean", "variance"}, {"n"}, output,
              {{"epsilon", 0.5F}})
        .node("Mul", {"n", "twice"}, {"m"}, output)
        .node("Relu", {"m"}, {"y"}, output)
        .output("y");
    graph_ = builder.graph();
    graph_.set_initializer("variance", Tensor::from<float>({kChannels}, {0.5F, 1.0F, 2.0F}));
    graph_.set_initializer("gamma", Tensor::from<float>({kChannels}, {0.5F, -1.0F, 2.0F}));
    graph_.set_initializer("twice", Tensor::from<float>(graph_.find_initializer("twice")->shape(),
                                                        {2.0F, 2.0F, 3.0F}));
    folded_ = graph_;
    Findings findings;
    norms_ = pipeline::trainable_norms({passes::fold_batch_norm(folded_)}, folded_, findings);
    EXPECT_TRUE(findings.empty());
  }

  graph::Graph graph_;
  graph::Graph folded_;
  Shape weight_shape_;
  std::vector<BatchNorm> norms_;
};

TEST_P(KeptNormNetwork, IsTheModelAndNormalizesByTheBatchWhileTraining) {
  ASSERT_EQ(norms_.size(), 1U);
  NetworkOptions options;
  options.norms = norms_;
  options.norm_mode = NormMode::kKept;
  const auto network = TrainableNetwork::make(folded_, {}, {}, options);
  const runtime::Feeds feeds = {
      {"x", testing::random_tensor(*graph_.find_type("x")->fixed_shape(), 4)}};
  testing::expect_same_outputs(testing::by_network(network, folded_, feeds, Mode::kQuantized),
                               testing::by_runtime(graph_, feeds), 1e-5);

  // In training the statistics are the batch's: those that a file with these would hold.
  const std::vector<Tensor> trained = testing::by_network(network, folded_, feeds, Mode::kTraining);
  graph::Graph of_batch = graph_;
  graph::Graph open = graph_;
  open.add_output("z");
  const torch::Tensor z = to_torch(testing::by_runtime(open, feeds).at(1));
  const std::vector<std::int64_t> axes =
      z.dim() == 2 ? std::vector<std::int64_t>{0} : std::vector<std::int64_t>{0, 2, 3};
  of_batch.set_initializer("mean", from_torch(z.mean(axes)));
  of_batch.set_initializer("variance", from_torch(z.var(axes, false)));
  testing::expect_same_outputs(trained, testing::by_runtime(of_batch, feeds), 1e-5);

  // A tenth of them went into the running ones, with which it is written.
  graph::Graph written = folded_;
  quant::EncodingTable encodings;
  network.write_back(written, encodings);
  const torch::Tensor mean = to_torch(*graph_.find_initializer("mean"));
  const torch::Tensor variance = to_torch(*graph_.find_initializer("variance"));
  graph_.set_initializer("mean", from_torch(0.9 * mean + 0.1 * z.mean(axes)));
  graph_.set_initializer("variance", from_torch(0.9 * variance + 0.1 * z.var(axes, true)));
  testing::expect_same_outputs(testing::by_runtime(written, feeds),
                               testing::by_runtime(graph_, feeds), 1e-5);
}

TEST_P(KeptNormNetwork, FrozenHasNoStatisticsToMove) {
  NetworkOptions options;
  options.norms = norms_;
  options.norm_mode = NormMode::kFrozen;
  const auto network = TrainableNetwork::make(folded_, {}, {}, options);
  EXPECT_TRUE(network.statistics().empty());
  EXPECT_EQ(network.weights().size(), 3U);
  const runtime::Feeds feeds = {
      {"x", testing::random_tensor(*graph_.find_type("x")->fixed_shape(), 4)}};
  testing::expect_same_outputs(testing::by_network(network, folded_, feeds, Mode::kTraining),
                               testing::by_runtime(graph_, feeds), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Layers, KeptNormNetwork,
                         ::testing::Values("Conv", "ConvTranspose", "Gemm"));

}  // namespace
}  // namespace hexquant::qat
