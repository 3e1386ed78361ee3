#include "pipeline/quantization_error.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "calibrate/calibrator.h"
#include "calibrate/encode_activations.h"
#include "core/parallel.h"
#include "graph/linear_layer.h"
#include "pipeline/kept_samples.h"
#include "pipeline/layer_steps.h"
#include "pipeline/round_weights.h"
#include "quant/insert_qdq.h"
#include "weights/quantize_weights.h"

namespace hexquant::pipeline {
namespace {

using graph::Graph;
using graph::LinearLayer;
using quant::QuantPlan;

/// Positions of each sample: for a search, and for means (bias correction) alone.
constexpr std::int64_t kSearchColumns = 64;
constexpr std::int64_t kMeanColumns = 16;

/// Below 8 bits the choice of scales and codes decides; with 8 it moves errors by little, the same
/// for all candidates, and takes most of the time.
bool has_coarse_weights(const QuantPlan& plan) {
  return std::any_of(plan.tensors.begin(), plan.tensors.end(), [](const auto& entry) {
    return entry.second.role == quant::Role::kWeight && dtype_bits(entry.second.type) < 8;
  });
}

/// The recipe's data-dependent weight methods as one pass over the judging samples: each layer on
/// its own.
DataRounding one_pass(DataRounding rounding, bool search, bool solve) {
  rounding.mode = RoundingMode::kOnePass;
  rounding.solver.clip_search = rounding.solver.clip_search && search;
  rounding.solver.gptq = rounding.solver.gptq && solve;
  rounding.solver.coordinate_descent = rounding.solver.coordinate_descent && solve;
  rounding.solver.rescale = rounding.solver.rescale && solve;
  return rounding;
}

/// What the rounding of a plan needs from the judging samples. A search wants Gram matrices. Bias
/// correction alone wants the mean of each layer's inputs: by channel where no padding counts among
/// them, else with the (small) Gram matrix.
class RoundingData {
 public:
  RoundingData(const Graph& graph, const QuantPlan& plan, const DataRounding& rounding,
               bool search) {
    if (!search && !rounding.correct_bias) return;
    for (LayerStep& step : find_layer_steps(graph, plan)) {
      const auto layer = LinearLayer::find(graph, *step.node);
      const bool by_channel = !search && step.data_input == 0 && layer && !layer->is_padded() &&
                              layer->input_layout().channels > 0;
      if (!by_channel) {
        grams.push_back({step.node->name(), search ? kSearchColumns : kMeanColumns});
      } else if (!step.bias.empty()) {
        axes_[step.node->input(0)] = static_cast<int>(-1 - layer->input_layout().dims_after);
        steps_.push_back(std::move(step));
      }
    }
  }

  void add_taps(std::map<std::string, calibrate::Tap>& taps) const {
    for (const auto& [value, axis] : axes_) {
      const auto [tap, added] = taps.try_emplace(value, calibrate::Tap{.histogram = false});
      tap->second.channel_moments = true;
      tap->second.channel_axis = axis;
    }
  }

  /// b += (W - V) E[x] for the layers whose means are known by channel.
  void correct_biases(const Graph& prepared, Graph& on_grid,
                      const quant::Statistics& statistics) const {
    for (const LayerStep& step : steps_) {
      const auto& channels = *statistics.values.at(step.node->input(0)).channels;
      std::vector<double> mean;
      for (const double sum : channels.sum) {
        mean.push_back(sum / static_cast<double>(channels.count));
      }
      const auto layer = LinearLayer::find(prepared, *step.node);
      const std::vector<double> wanted = layer->response_to_shift(prepared, mean);
      const std::vector<double> given = layer->response_to_shift(on_grid, mean);
      const Tensor& old = *on_grid.find_initializer(step.bias);
      if (old.size() != static_cast<std::int64_t>(wanted.size())) continue;
      std::vector<float> bias(old.data<float>().begin(), old.data<float>().end());
      for (std::size_t o = 0; o < bias.size(); ++o) {
        bias[o] += static_cast<float>(wanted[o] - given[o]);
      }
      on_grid.set_initializer(step.bias, Tensor::from<float>(old.shape(), bias));
    }
  }

  std::vector<calibrate::GramRequest> grams;

 private:
  std::map<std::string, int> axes_;
  std::vector<LayerStep> steps_;
};

}  // namespace

Graph quantized_graph(Graph graph, const QuantPlan& plan, const QuantizeOptions& options,
                      const std::vector<runtime::Feeds>& feeds, const JudgeOptions& judge) {
  const KeptSamples samples(feeds);
  Findings ignored;
  auto taps = calibrate::taps_for_plan(graph, plan);
  const bool search = has_coarse_weights(plan);
  const Graph prepared = graph;
  std::optional<RoundingData> rounding;
  if (options.rounding) {
    rounding.emplace(prepared, plan, *options.rounding, search);
    rounding->add_taps(taps);
  }
  const std::vector<calibrate::GramRequest> grams =
      rounding ? rounding->grams : std::vector<calibrate::GramRequest>{};
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
  weight_options.clip_search = weight_options.clip_search && search;
  (void)weights::quantize_weights(graph, plan, encodings, weight_options, silent_progress());
  if (rounding) {
    (void)round_weights(prepared, graph, plan, encodings, statistics, samples,
                        one_pass(*options.rounding, search, search && judge.solve), 0,
                        judge.threads, ignored, silent_progress());
    rounding->correct_biases(prepared, graph, statistics);
  }
  if (judge.quantize_biases) (void)weights::quantize_biases(graph, plan, encodings);
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
