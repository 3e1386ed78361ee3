#include "calibrate/gather_layer.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "calibrate/depthwise_moments.h"
#include "calibrate/gram_accumulator.h"
#include "calibrate/layer_columns.h"
#include "calibrate/moment_accumulator.h"
#include "core/format.h"
#include "core/parallel.h"
#include "hexquant/error.h"
#include "linalg/product.h"

namespace hexquant::calibrate {
namespace {

/// Positions that are held at once.
constexpr std::int64_t kChunkPositions = 4096;
/// Positions whose targets are computed by one task.
constexpr std::int64_t kTargetPositions = 512;

std::size_t unsigned_size(std::int64_t value) {
  return static_cast<std::size_t>(value);
}

/// What one side of one sample shows at the drawn positions.
struct Drawn {
  std::vector<float> columns;  // [positions, taps, channels]
  std::vector<float> addend;   // [positions, outputs]; empty = none
};

struct DrawnSample {
  std::int64_t count = 0;
  Drawn reference;
  Drawn quantized;
};

/// Positions of one chunk in the order of MomentAccumulator, or of DepthwiseMoments.
struct Chunk {
  std::int64_t count = 0;
  std::vector<float> reference;  // [groups, count, columns]; [count, taps, channels]
  std::vector<float> inputs;
  std::vector<float> targets;  // [groups, count, rows]; [count, channels]
};

/// The matrix part of moments: one of two ways to add them up.
class MomentSums {
 public:
  MomentSums(const quant::WeightMatrix& layout, int threads) {
    if (is_depthwise(layout)) {
      depthwise_.emplace(layout.groups(), layout.taps(), threads);
    } else {
      dense_.emplace(layout.groups(), layout.rows(), layout.columns(), threads);
    }
  }
  static bool is_depthwise(const quant::WeightMatrix& layout) {
    return layout.groups() > 1 && layout.rows() == 1 && layout.columns() == layout.taps();
  }
  void add(Chunk& chunk) {
    if (depthwise_) {
      depthwise_->add(chunk.inputs, chunk.targets, chunk.count);
    } else {
      dense_->add(chunk.inputs, chunk.targets, chunk.count);
    }
  }
  quant::LayerMoments finish() { return depthwise_ ? depthwise_->finish() : dense_->finish(); }

 private:
  std::optional<MomentAccumulator> dense_;
  std::optional<DepthwiseMoments> depthwise_;
};

class LayerGatherer {
 public:
  LayerGatherer(const LayerToGather& layer, const LayerSource& reference,
                const LayerSource& quantized, const GatherOptions& options)
      : layer_(layer),
        options_(options),
        columns_(layer.graph, layer.node),
        reference_(reference),
        quantized_(quantized),
        reference_reader_(reference.stream, reference.graph, values_of(reference)),
        quantized_reader_(quantized.stream, quantized.graph, values_of(quantized)),
        depthwise_(MomentSums::is_depthwise(layer.layout)),
        sums_(layer.layout, options.threads) {
    const std::int64_t samples = quantized.stream.samples();
    per_sample_ = std::max<std::int64_t>(1, (options.positions + samples - 1) / samples);
  }

  GatheredLayer run() {
    const std::int64_t samples = quantized_.stream.samples();
    const std::int64_t step = std::max<std::int64_t>(1, kChunkPositions / per_sample_);
    GatheredLayer result;
    for (std::int64_t first = 0; first < samples; first += step) {
      Chunk chunk = gather(first, std::min(samples, first + step));
      keep(chunk, result.samples);
      sums_.add(chunk);
    }
    result.moments = sums_.finish();
    return result;
  }

 private:
  static std::vector<std::string> values_of(const LayerSource& source) {
    std::vector<std::string> values = {source.input};
    if (!source.addend.empty() && source.addend != source.input) values.push_back(source.addend);
    return values;
  }

  Chunk gather(std::int64_t first, std::int64_t last) const {
    std::vector<DrawnSample> drawn(unsigned_size(last - first));
    reference_reader_.read(
        first, last, [&](std::int64_t sample, const std::vector<Tensor>& values) {
          DrawnSample& out = drawn[unsigned_size(sample - first)];
          out.count = draw(sample, values, out.reference, !reference_.addend.empty());
        });
    quantized_reader_.read(
        first, last, [&](std::int64_t sample, const std::vector<Tensor>& values) {
          DrawnSample& out = drawn[unsigned_size(sample - first)];
          const auto count = draw(sample, values, out.quantized, !quantized_.addend.empty());
          HEXQUANT_CHECK(count == out.count, "the two sides of a layer differ in shape");
        });
    return arrange(drawn);
  }

  std::int64_t draw(std::int64_t sample, const std::vector<Tensor>& values, Drawn& out,
                    bool with_addend) const {
    const Tensor& input = values.front();
    runtime::TapView view;
    view.dtype = input.dtype();
    view.shape = input.shape();
    view.data = input.raw();
    const std::int64_t all = columns_.position_count(input.shape());
    std::vector<std::int64_t> positions;
    draw_positions(all, per_sample_, options_.seed + unsigned_size(sample), positions);
    columns_.gather(view, positions, out.columns);
    if (with_addend) gather_addend(values.back(), all, positions, out.addend);
    return static_cast<std::int64_t>(positions.size());
  }

  /// Elements of a value of the layer's output shape: outputs [batch, output, plane] for
  /// convolutions and W x, [position, output] else.
  void gather_addend(const Tensor& addend, std::int64_t all,
                     const std::vector<std::int64_t>& positions, std::vector<float>& out) const {
    const std::int64_t outputs = layer_.layout.groups() * layer_.layout.rows();
    if (addend.size() != all * outputs || addend.rank() < 2) {
      throw Error(ErrorCode::kInvalidData,
                  format("node '{}': value of shape {} is added to {} positions of {} outputs",
                         layer_.node.name(), shape_text(addend.shape()), all, outputs));
    }
    std::int64_t plane = 1;
    if (layer_.node.is("Conv") || layer_.node.is("ConvTranspose")) {
      plane = all / addend.shape()[0];
    } else if (layer_.layout.weight_input() == 0) {
      plane = addend.shape().back();
    }
    const float* const data = addend.data<float>().data();
    for (const std::int64_t position : positions) {
      const float* const from = data + position / plane * outputs * plane + position % plane;
      for (std::int64_t c = 0; c < outputs; ++c) out.push_back(from[c * plane]);
    }
  }

  [[nodiscard]] Chunk arrange(const std::vector<DrawnSample>& drawn) const {
    std::vector<std::int64_t> begin;
    Chunk chunk;
    for (const DrawnSample& sample : drawn) {
      begin.push_back(chunk.count);
      chunk.count += sample.count;
    }
    const quant::WeightMatrix& layout = layer_.layout;
    const std::int64_t groups = layout.groups();
    chunk.reference.resize(unsigned_size(groups * chunk.count * layout.columns()));
    chunk.inputs.resize(chunk.reference.size());
    chunk.targets.resize(unsigned_size(groups * chunk.count * layout.rows()));
    parallel_for(static_cast<std::int64_t>(drawn.size()), options_.threads, [&](std::int64_t i) {
      const DrawnSample& sample = drawn[unsigned_size(i)];
      const std::int64_t at = begin[unsigned_size(i)];
      place(sample.reference.columns, sample.count, at, chunk.count, chunk.reference);
      place(sample.quantized.columns, sample.count, at, chunk.count, chunk.inputs);
      place_base(sample, at, chunk);
    });
    if (depthwise_) {
      add_depthwise_outputs(chunk);
    } else {
      add_outputs(chunk);
    }
    return chunk;
  }

  /// [positions, taps, channels] -> [groups, positions, (channel, tap)].
  void place(const std::vector<float>& drawn, std::int64_t count, std::int64_t at,
             std::int64_t total, std::vector<float>& out) const {
    const std::int64_t taps = layer_.layout.taps();
    const std::int64_t width = layer_.layout.columns();
    if (depthwise_) {
      std::copy(drawn.begin(), drawn.end(), out.begin() + at * width * layer_.layout.groups());
      return;
    }
    const std::int64_t group_channels = width / taps;
    const float* from = drawn.data();
    for (std::int64_t p = 0; p < count; ++p) {
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        for (std::int64_t g = 0; g < layer_.layout.groups(); ++g) {
          float* const row = out.data() + (g * total + at + p) * width + tap;
          for (std::int64_t c = 0; c < group_channels; ++c) row[c * taps] = *from++;
        }
      }
    }
  }

  /// b + (s - s^).
  void place_base(const DrawnSample& sample, std::int64_t at, Chunk& chunk) const {
    const std::int64_t rows = layer_.layout.rows();
    const std::int64_t outputs = rows * layer_.layout.groups();
    const bool residual = !sample.reference.addend.empty();
    for (std::int64_t p = 0; p < sample.count; ++p) {
      for (std::int64_t o = 0; o < outputs; ++o) {
        float base = layer_.bias.empty() ? 0.0F : layer_.bias[unsigned_size(o)];
        const std::size_t index = unsigned_size(p * outputs + o);
        if (residual) base += sample.reference.addend[index] - sample.quantized.addend[index];
        const std::int64_t to = depthwise_ ? (at + p) * outputs + o
                                           : (o / rows * chunk.count + at + p) * rows + o % rows;
        chunk.targets[unsigned_size(to)] = base;
      }
    }
  }

  /// Adds W x to the targets.
  void add_outputs(Chunk& chunk) const {
    const std::int64_t n = layer_.layout.columns();
    const std::int64_t m = layer_.layout.rows();
    const std::int64_t parts = (chunk.count + kTargetPositions - 1) / kTargetPositions;
    parallel_for(layer_.layout.groups() * parts, options_.threads, [&](std::int64_t task) {
      const std::int64_t g = task / parts;
      const std::int64_t first = task % parts * kTargetPositions;
      const std::int64_t row = g * chunk.count + first;
      linalg::add_product({.rows = std::min(kTargetPositions, chunk.count - first),
                           .columns = m,
                           .inner = n,
                           .transpose_b = true},
                          chunk.reference.data() + row * n, n, layer_.weights.data() + g * m * n, n,
                          chunk.targets.data() + row * m, m);
    });
  }

  void add_depthwise_outputs(Chunk& chunk) const {
    const std::int64_t channels = layer_.layout.groups();
    const std::int64_t taps = layer_.layout.taps();
    std::vector<float> weights;  // [taps, channels]
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      for (std::int64_t c = 0; c < channels; ++c) {
        weights.push_back(layer_.weights[unsigned_size(c * taps + tap)]);
      }
    }
    const std::int64_t parts = (chunk.count + kTargetPositions - 1) / kTargetPositions;
    parallel_for(parts, options_.threads, [&](std::int64_t part) {
      const std::int64_t end = std::min(chunk.count, (part + 1) * kTargetPositions);
      for (std::int64_t p = part * kTargetPositions; p < end; ++p) {
        float* const target = chunk.targets.data() + p * channels;
        for (std::int64_t tap = 0; tap < taps; ++tap) {
          const float* const weight = weights.data() + tap * channels;
          const float* const input = chunk.reference.data() + (p * taps + tap) * channels;
          for (std::int64_t c = 0; c < channels; ++c) target[c] += weight[c] * input[c];
        }
      }
    });
  }

  void keep(const Chunk& chunk, quant::LayerSamples& samples) const {
    using quant::LayerSamples;
    if (options_.kept_positions <= 0 || samples.count > 0) return;
    samples.count = std::min(options_.kept_positions, chunk.count) / LayerSamples::kMultiple *
                    LayerSamples::kMultiple;
    const std::int64_t groups = layer_.layout.groups();
    const std::int64_t n = layer_.layout.columns();
    const std::int64_t m = layer_.layout.rows();
    samples.group_stride = depthwise_ ? 1 : n;
    samples.column_stride = depthwise_ ? groups : 1;
    samples.inputs.resize(unsigned_size(groups * n * samples.count));
    samples.targets.resize(unsigned_size(groups * m * samples.count));
    if (depthwise_) {
      transpose(chunk.inputs.data(), n * groups, samples.count, samples.inputs.data());
      transpose(chunk.targets.data(), groups, samples.count, samples.targets.data());
      return;
    }
    for (std::int64_t g = 0; g < groups; ++g) {
      transpose(chunk.inputs.data() + g * chunk.count * n, n, samples.count,
                samples.inputs.data() + g * n * samples.count);
      transpose(chunk.targets.data() + g * chunk.count * m, m, samples.count,
                samples.targets.data() + g * m * samples.count);
    }
  }

  /// [count, width] -> [width, count], in square parts that stay in the cache.
  void transpose(const float* from, std::int64_t width, std::int64_t count, float* to) const {
    constexpr std::int64_t kEdge = 32;
    parallel_for((width + kEdge - 1) / kEdge, options_.threads, [&](std::int64_t part) {
      const std::int64_t first = part * kEdge;
      const std::int64_t last = std::min(width, first + kEdge);
      for (std::int64_t begin = 0; begin < count; begin += kEdge) {
        const std::int64_t end = std::min(count, begin + kEdge);
        for (std::int64_t c = first; c < last; ++c) {
          for (std::int64_t p = begin; p < end; ++p) to[c * count + p] = from[p * width + c];
        }
      }
    });
  }

  const LayerToGather& layer_;
  const GatherOptions& options_;
  LayerColumns columns_;
  const LayerSource& reference_;
  const LayerSource& quantized_;
  ValueStream::Reader reference_reader_;
  ValueStream::Reader quantized_reader_;
  bool depthwise_;
  MomentSums sums_;
  std::int64_t per_sample_ = 1;
};

}  // namespace

GatheredLayer gather_layer(const LayerToGather& layer, const LayerSource& reference,
                           const LayerSource& quantized, const GatherOptions& options) {
  return LayerGatherer(layer, reference, quantized, options).run();
}

}  // namespace hexquant::calibrate
