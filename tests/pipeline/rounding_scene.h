#pragma once

#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/calibrator.h"
#include "calibrate/encode_activations.h"
#include "evaluate/session_choice.h"
#include "pipeline/layer_steps.h"
#include "pipeline/round_weights.h"
#include "plan/plan.h"
#include "quant/insert_qdq.h"
#include "runtime/session.h"
#include "support/memory_dataset.h"
#include "target/target.h"
#include "weights/equalization_testing.h"
#include "weights/quantize_weights.h"

/// Small nets through the stages around round_weights.
namespace hexquant::pipeline::testing {

using graph::Graph;
using runtime::Feeds;
using weights::RandomNet;
using Ints = std::vector<std::int64_t>;

/// Samples whose elements depend on each other, around a mean: rows along the last axis wander.
inline std::vector<Feeds> smooth_samples(const Graph& graph, int count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<float> even(-1.5F, 1.5F);
  std::vector<Feeds> samples(static_cast<std::size_t>(count));
  for (Feeds& sample : samples) {
    const std::string& name = graph.inputs().front();
    const Shape shape = *graph.find_type(name)->fixed_shape();
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    const float common = even(random);  // bounded: ranges of other samples hold for these
    float wander = normal(random);
    for (float& value : values) {
      wander = 0.8F * wander + 0.4F * normal(random);
      value = 0.5F + common + wander;
    }
    sample.emplace(name, Tensor::from<float>(shape, values));
  }
  return samples;
}

/// conv -> Relu -> depthwise -> Relu6 -> 1x1 conv + residual -> Relu -> strided conv -> Relu ->
/// pool -> Gemm.
inline Graph small_cnn() {
  const Shape plane = {1, 12, 10, 10};
  const Shape small = {1, 16, 5, 5};
  const Ints pad(4, 1);
  return RandomNet(5)
      .input("x", {1, 3, 10, 10})
      .weight("w1", {12, 3, 3, 3})
      .weight("b1", {12})
      .weight("w2", {12, 1, 3, 3})
      .weight("b2", {12})
      .weight("w3", {12, 12, 1, 1})
      .weight("b3", {12})
      .weight("w4", {16, 12, 3, 3})
      .weight("b4", {16})
      .weight("w5", {16, 10})
      .weight("b5", {10})
      .values("zero", {}, {0.0F})
      .values("six", {}, {6.0F})
      .node("Conv", {"x", "w1", "b1"}, "c1", plane, {{"pads", pad}})
      .node("Relu", {"c1"}, "r1", plane)
      .node("Conv", {"r1", "w2", "b2"}, "c2", plane, {{"pads", pad}, {"group", 12L}})
      .node("Clip", {"c2", "zero", "six"}, "r2", plane)
      .node("Conv", {"r2", "w3", "b3"}, "c3", plane)
      .node("Add", {"c3", "r1"}, "sum", plane)
      .node("Relu", {"sum"}, "r3", plane)
      .node("Conv", {"r3", "w4", "b4"}, "c4", small, {{"pads", pad}, {"strides", Ints{2, 2}}})
      .node("Relu", {"c4"}, "r4", small)
      .node("GlobalAveragePool", {"r4"}, "pool", {1, 16, 1, 1})
      .node("Flatten", {"pool"}, "flat", {1, 16})
      .node("Gemm", {"flat", "w5", "b5"}, "y", {1, 10})
      .finish({"y"});
}

/// MatMul -> Relu -> MatMul, no biases.
inline Graph matmul_net() {
  Graph graph = RandomNet(6)
                    .input("x", {1, 12, 32})
                    .weight("w1", {32, 48})
                    .weight("w2", {48, 16})
                    .node("MatMul", {"x", "w1"}, "m1", {1, 12, 48})
                    .node("Relu", {"m1"}, "r1", {1, 12, 48})
                    .node("MatMul", {"r1", "w2"}, "y", {1, 12, 16})
                    .finish({"y"});
  graph.opsets[""] = 21;  // blocks need it
  return graph;
}

struct Result {
  Graph quantized;
  quant::EncodingTable encodings;
  std::vector<weights::RoundingReport> reports;
  Findings findings;
  Graph on_grid;
};

/// The stages of the pipeline around round_weights, on a graph in memory.
class Scene {
 public:
  Scene(Graph graph, const plan::PlanOptions& options)
      : Scene(graph, options, smooth_samples(graph, 48, 1)) {}
  Scene(Graph graph, const plan::PlanOptions& options, std::vector<data::Sample> samples)
      : graph_(std::move(graph)), samples_(samples), dataset_(std::move(samples)) {
    plan_ = plan::make_plan(graph_, target::load_target("SM8650"), options);
    std::vector<calibrate::GramRequest> grams;
    for (const LayerStep& step : find_layer_steps(graph_, plan_)) {
      grams.push_back({.node = step.node->name(), .columns_per_sample = 1000});
    }
    statistics_ = calibrate::calibrate(graph_, dataset_, calibrate::taps_for_plan(graph_, plan_),
                                       grams, {.threads = 1, .seed = 0}, silent_progress());
    Findings findings;
    encodings_ = calibrate::encode_activations(graph_, plan_, statistics_, {}, findings);
  }

  /// Without `options`: nearest rounding.
  [[nodiscard]] Result run(const DataRounding* options, int threads = 1) const {
    Result result;
    result.encodings = encodings_;
    result.on_grid = graph_;
    (void)weights::quantize_weights(result.on_grid, plan_, result.encodings, {}, silent_progress());
    if (options != nullptr) {
      result.reports =
          round_weights(graph_, result.on_grid, plan_, result.encodings, statistics_, dataset_,
                        *options, 7, threads, result.findings, silent_progress());
    }
    (void)weights::quantize_biases(result.on_grid, plan_, result.encodings);
    result.quantized = quant::insert_qdq(result.on_grid, result.encodings);
    return result;
  }
  [[nodiscard]] Result nearest() const { return run(nullptr); }
  [[nodiscard]] Result rounded(RoundingMode mode) const {
    DataRounding options;
    options.mode = mode;
    return run(&options);
  }

  /// Outputs of the float and the quantized model, one list of values a sample.
  struct Outputs {
    std::vector<std::vector<float>> expected;
    std::vector<std::vector<float>> got;
  };
  [[nodiscard]] Outputs outputs(const Result& result, const std::vector<Feeds>& samples) const {
    const runtime::Session left(graph_, {});
    const runtime::Session right(result.quantized, evaluate::session_options(result.quantized));
    Outputs outputs;
    for (const Feeds& sample : samples) {
      for (const auto& [session, list] :
           {std::pair{&left, &outputs.expected}, std::pair{&right, &outputs.got}}) {
        const auto tensors = session->run(sample);
        const auto values = tensors[0].data<float>();
        list->emplace_back(values.begin(), values.end());
      }
    }
    return outputs;
  }

  /// Error power over output power on samples that calibration has not seen, or on its own.
  [[nodiscard]] double error(const Result& result, bool unseen = true) const {
    const Outputs all = outputs(result, unseen ? smooth_samples(graph_, 32, 99) : samples_);
    double noise = 0.0;
    double power = 0.0;
    for (std::size_t s = 0; s < all.got.size(); ++s) {
      for (std::size_t i = 0; i < all.got[s].size(); ++i) {
        const double difference = double{all.got[s][i]} - all.expected[s][i];
        noise += difference * difference;
        power += double{all.expected[s][i]} * all.expected[s][i];
      }
    }
    return noise / power;
  }

  /// rms over the outputs of the mean error on the calibration data / rms of the outputs.
  [[nodiscard]] double mean_error(const Result& result) const {
    const Outputs all = outputs(result, samples_);
    double shift = 0.0;
    double power = 0.0;
    for (std::size_t i = 0; i < all.got[0].size(); ++i) {
      double sum = 0.0;
      for (std::size_t s = 0; s < all.got.size(); ++s) {
        sum += double{all.got[s][i]} - all.expected[s][i];
        power += double{all.expected[s][i]} * all.expected[s][i];
      }
      shift += sum * sum / static_cast<double>(all.got.size());
    }
    return std::sqrt(shift / power);
  }

  [[nodiscard]] const Graph& graph() const { return graph_; }
  [[nodiscard]] const test::MemoryDataset& dataset() const { return dataset_; }

 private:
  Graph graph_;
  std::vector<data::Sample> samples_;
  test::MemoryDataset dataset_;
  quant::QuantPlan plan_;
  quant::Statistics statistics_;
  quant::EncodingTable encodings_;
};

inline plan::PlanOptions four_bits(Granularity granularity = Granularity::kChannel,
                                   std::int64_t group = 0) {
  plan::PlanOptions options;
  options.weight_bits = 4;
  options.weight_bits_everywhere = true;
  options.granularity = granularity;
  options.group_size = group;
  if (granularity == Granularity::kGroup) options.act_bits = 16;
  return options;
}

}  // namespace hexquant::pipeline::testing
