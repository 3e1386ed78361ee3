#include "pipeline/quantization_error.h"

#include <algorithm>
#include <utility>

#include "calibrate/calibrator.h"
#include "calibrate/encode_activations.h"
#include "core/parallel.h"
#include "pipeline/layer_steps.h"
#include "pipeline/round_weights.h"
#include "quant/insert_qdq.h"
#include "weights/quantize_weights.h"

namespace hexquant::pipeline {
namespace {

using graph::Graph;
using quant::QuantPlan;

/// Samples in memory.
class KeptSamples final : public data::Dataset {
 public:
  explicit KeptSamples(const std::vector<runtime::Feeds>& feeds) : feeds_(feeds) {}
  [[nodiscard]] std::int64_t size() const override {
    return static_cast<std::int64_t>(feeds_.size());
  }
  [[nodiscard]] data::Sample load(std::int64_t index) const override {
    return feeds_[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] std::string describe(std::int64_t index) const override {
    return "sample " + std::to_string(index);
  }

 private:
  const std::vector<runtime::Feeds>& feeds_;
};

/// The recipe's data-dependent weight methods as one pass over the judging samples: each layer on
/// its own.
DataRounding one_pass(DataRounding rounding, bool solve) {
  rounding.mode = RoundingMode::kOnePass;
  rounding.solver.gptq = rounding.solver.gptq && solve;
  rounding.solver.coordinate_descent = rounding.solver.coordinate_descent && solve;
  rounding.solver.rescale = rounding.solver.rescale && solve;
  return rounding;
}

}  // namespace

Graph quantized_graph(Graph graph, const QuantPlan& plan, const QuantizeOptions& options,
                      const std::vector<runtime::Feeds>& feeds, const JudgeOptions& judge) {
  const KeptSamples samples(feeds);
  Findings ignored;
  const auto taps = calibrate::taps_for_plan(graph, plan);
  std::vector<calibrate::GramRequest> grams;
  if (options.rounding) {
    for (const LayerStep& step : find_layer_steps(graph, plan)) {
      grams.push_back({.node = step.node->name()});
    }
  }
  quant::Statistics statistics;
  if (!taps.empty() || !grams.empty()) {
    statistics = calibrate::calibrate(graph, samples, taps, grams, {.threads = judge.threads},
                                      silent_progress());
  }
  quant::EncodingTable encodings =
      calibrate::encode_activations(graph, plan, statistics, options.observer, ignored);
  const quant::EncodingTable activations = encodings;
  weights::WeightOptions weight_options = options.weights;
  weight_options.threads = judge.threads;
  const Graph prepared = graph;
  (void)weights::quantize_weights(graph, plan, encodings, weight_options, silent_progress());
  if (options.rounding) {
    (void)round_weights(prepared, graph, plan, encodings, statistics, samples,
                        one_pass(*options.rounding, judge.solve), 0, judge.threads, ignored,
                        silent_progress());
  }
  if (judge.quantize_biases) weights::quantize_biases(graph, plan, encodings);
  return quant::insert_qdq(graph, activations);
}

namespace {

/// Signal and noise of one sample's outputs.
struct Power {
  std::vector<double> signal;
  std::vector<double> noise;
};

Power compare(const std::vector<Tensor>& results, const std::vector<Tensor>& expected) {
  Power power;
  for (std::size_t o = 0; o < results.size(); ++o) {
    double signal = 0.0;
    double noise = 0.0;
    if (results[o].dtype() == DType::kFloat32) {
      const auto got = results[o].data<float>();
      const auto wanted = expected[o].data<float>();
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        const double y = wanted[i];
        const double d = y - got[i];
        signal += y * y;
        noise += d * d;
      }
    }
    power.signal.push_back(signal);
    power.noise.push_back(noise);
  }
  return power;
}

}  // namespace

QuantizationMeter::QuantizationMeter(const Graph& graph, const QuantizeOptions& options,
                                     const data::Dataset& dataset, std::int64_t samples,
                                     int threads)
    : options_(options), threads_(threads), outputs_(graph.outputs()) {
  const runtime::Session session(graph, {}, outputs_);
  const std::int64_t count = std::min(samples, dataset.size());
  feeds_.resize(static_cast<std::size_t>(count));
  expected_.resize(feeds_.size());
  parallel_for(count, threads_, [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    feeds_[at] = dataset.load(i);
    expected_[at] = session.run(feeds_[at]);
  });
}

double QuantizationMeter::model_error(const Graph& graph, const QuantPlan& plan) const {
  const runtime::Session session(
      quantized_graph(graph, plan, options_, feeds_, {.threads = threads_}),
      {.integer_kernels = false}, outputs_);
  std::vector<Power> powers(feeds_.size());
  parallel_for(static_cast<std::int64_t>(feeds_.size()), threads_, [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    powers[at] = compare(session.run(feeds_[at]), expected_[at]);
  });
  double total = 0.0;
  for (std::size_t o = 0; o < outputs_.size(); ++o) {
    double signal = 0.0;
    double noise = 0.0;
    for (const Power& power : powers) {
      signal += power.signal[o];
      noise += power.noise[o];
    }
    if (signal > 0.0) total += noise / signal;
  }
  return total / static_cast<double>(std::max<std::size_t>(outputs_.size(), 1));
}

}  // namespace hexquant::pipeline
