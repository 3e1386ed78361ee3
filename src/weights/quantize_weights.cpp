#include "weights/quantize_weights.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/format.h"
#include "core/parallel.h"
#include "hexquant/error.h"
#include "quant/fake_quant.h"
#include "weights/block_scales.h"
#include "weights/clip_search.h"

namespace hexquant::weights {
namespace {

using quant::EncodingTable;
using quant::QuantPlan;
using quant::Role;
using quant::ScaleLayout;
using quant::TensorPolicy;

void check_finite(const std::string& name, std::span<const float> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    throw Error(
        ErrorCode::kInvalidModel,
        format("weight '{}' holds {} at element {}: expected finite values", name, values[i], i));
  }
}

/// Values that share scale `index`, gathered in memory order.
std::vector<std::vector<float>> group_by_scale(std::span<const float> values,
                                               const ScaleLayout& layout) {
  std::vector<std::vector<float>> groups(static_cast<std::size_t>(layout.scale_count()));
  for (auto& group : groups) group.reserve(values.size() / groups.size() + 1);
  std::size_t element = 0;
  for (std::int64_t o = 0; o < layout.outer; ++o) {
    for (std::int64_t p = 0; p < layout.length; ++p) {
      for (std::int64_t i = 0; i < layout.inner; ++i, ++element) {
        groups[static_cast<std::size_t>(layout.index(o, p, i))].push_back(values[element]);
      }
    }
  }
  return groups;
}

Range min_max_range(std::span<const float> values) {
  Range range;
  for (const float value : values) {
    range.min = std::min(range.min, value);
    range.max = std::max(range.max, value);
  }
  return range;
}

Encoding weight_encoding(const Tensor& weight, const TensorPolicy& policy, bool clip_search) {
  if (policy.fixed_encoding) return *policy.fixed_encoding;
  Encoding encoding = quant::empty_encoding(policy);
  std::int64_t scales = 1;
  for (const std::int64_t dim : quant::scale_shape(weight.shape(), encoding)) scales *= dim;
  encoding.scale.assign(static_cast<std::size_t>(scales), 1.0F);
  encoding.zero_point.assign(static_cast<std::size_t>(scales), 0);
  const ScaleLayout layout = quant::scale_layout(weight.shape(), encoding);
  const auto groups = group_by_scale(weight.data<float>(), layout);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    Range range = min_max_range(groups[g]);
    if (policy.fixed_range) {
      range = *policy.fixed_range;
    } else if (clip_search) {
      range = search_clip_range(groups[g], {}, policy.type, policy.symmetric, policy.strict);
    }
    range.min *= policy.range_factor;
    range.max *= policy.range_factor;
    const Encoding one = encoding_from_range(range, policy.type, policy.symmetric, policy.strict);
    encoding.scale[g] = one.scale[0];
    encoding.zero_point[g] = one.zero_point[0];
  }
  if (policy.block_scale_bits > 0) {
    use_integer_block_scales(groups, layout, policy.block_scale_bits, encoding);
  }
  return encoding;
}

double sqnr_db(std::span<const float> reference, std::span<const float> values) {
  double signal = 0.0;
  double noise = 0.0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double r = reference[i];
    const double d = r - values[i];
    signal += r * r;
    noise += d * d;
  }
  if (noise == 0.0) return std::numeric_limits<double>::infinity();
  return 10.0 * std::log10(signal / noise);
}

struct QuantizedWeight {
  Encoding encoding;
  Tensor values;
  WeightReport report;
};

QuantizedWeight quantize_weight(const std::string& name, const Tensor& weight,
                                const TensorPolicy& policy, bool clip_search) {
  check_finite(name, weight.data<float>());
  QuantizedWeight result;
  result.encoding = weight_encoding(weight, policy, clip_search);
  result.values = fake_quantize_tensor(weight, result.encoding);
  result.report.weight = name;
  result.report.sqnr_db = sqnr_db(weight.data<float>(), result.values.data<float>());
  result.report.min_max_sqnr_db = result.report.sqnr_db;
  if (clip_search) {
    const Tensor nearest = fake_quantize_tensor(weight, weight_encoding(weight, policy, false));
    result.report.min_max_sqnr_db = sqnr_db(weight.data<float>(), nearest.data<float>());
  }
  return result;
}

/// Scales of the weight seen from the bias: one for each output channel, or a single one.
struct BiasScales {
  std::vector<float> scale;
  bool per_channel = false;
};

BiasScales bias_scales(const Encoding& activation, const Encoding& weight) {
  BiasScales scales;
  scales.per_channel = weight.granularity == Granularity::kChannel;
  for (const float scale : weight.scale) scales.scale.push_back(activation.scale[0] * scale);
  return scales;
}

/// Raises the weight scales under which the bias would leave int32; true if any changed.
bool widen_weight_scales(std::span<const float> bias, float activation_scale, Encoding& weight) {
  // Half of the int32 range: the accumulator must hold the products too.
  constexpr double kLargestCode = 1 << 30;
  bool changed = false;
  for (std::size_t i = 0; i < bias.size(); ++i) {
    float& scale = weight.scale[weight.scale.size() == 1 ? 0 : i];
    const double needed = std::abs(static_cast<double>(bias[i])) / kLargestCode / activation_scale;
    if (needed <= scale) continue;
    scale = static_cast<float>(needed);
    changed = true;
  }
  return changed;
}

/// True if the user gives the encoding of a weight.
bool is_given(const QuantPlan& plan, const std::string& weight) {
  const auto policy = plan.tensors.find(weight);
  return policy != plan.tensors.end() && policy->second.fixed_encoding.has_value();
}

/// True if a code of the bias leaves int32.
bool saturates(std::span<const float> bias, float activation_scale, const Encoding& weight) {
  for (std::size_t i = 0; i < bias.size(); ++i) {
    const double scale = weight.scale[weight.scale.size() == 1 ? 0 : i];
    const double code = std::abs(static_cast<double>(bias[i])) / (scale * activation_scale);
    if (!(code <= std::numeric_limits<std::int32_t>::max())) return true;
  }
  return false;
}

/// Constants that are quantized like activations: embedding tables, second operands. What lies
/// beyond the grid saturates wherever it is read (attention masks) and stays as it is.
void put_operands_on_grid(graph::Graph& graph, const QuantPlan& plan,
                          const EncodingTable& encodings) {
  for (const auto& [name, policy] : plan.tensors) {
    const Tensor* constant = graph.find_initializer(name);
    const auto encoding = encodings.tensors.find(name);
    if (policy.role != Role::kActivation || constant == nullptr ||
        constant->dtype() != DType::kFloat32 || encoding == encodings.tensors.end()) {
      continue;
    }
    const Tensor on_grid = fake_quantize_tensor(*constant, encoding->second);
    const auto before = constant->data<float>();
    std::vector<float> values(on_grid.data<float>().begin(), on_grid.data<float>().end());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double value = before[i];
      const bool inside =
          value >= encoding->second.range_min() && value <= encoding->second.range_max();
      if (!inside) values[i] = before[i];
    }
    graph.set_initializer(name, Tensor::from<float>(constant->shape(), values));
  }
}

}  // namespace

std::vector<WeightReport> quantize_weights(graph::Graph& graph, const QuantPlan& plan,
                                           EncodingTable& encodings, const WeightOptions& options,
                                           ProgressSink& progress) {
  std::vector<std::pair<std::string, const TensorPolicy*>> work;
  for (const auto& [name, policy] : plan.tensors) {
    if (policy.role == Role::kWeight) work.emplace_back(name, &policy);
  }
  std::vector<QuantizedWeight> done(work.size());
  ProgressStage stage(progress, "weights", static_cast<std::int64_t>(work.size()));
  parallel_for(static_cast<std::int64_t>(work.size()), options.threads, [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    const Tensor* weight = graph.find_initializer(work[at].first);
    HEXQUANT_CHECK(weight != nullptr, "weight '" + work[at].first + "' is not an initializer");
    done[at] = quantize_weight(work[at].first, *weight, *work[at].second, options.clip_search);
    stage.step();
  });
  std::vector<WeightReport> reports;
  for (std::size_t i = 0; i < work.size(); ++i) {
    graph.set_initializer(work[i].first, std::move(done[i].values));
    encodings.tensors[work[i].first] = std::move(done[i].encoding);
    reports.push_back(std::move(done[i].report));
  }
  put_operands_on_grid(graph, plan, encodings);
  return reports;
}

Findings quantize_biases(graph::Graph& graph, const QuantPlan& plan, EncodingTable& encodings) {
  Findings findings;
  for (const auto& [name, source] : plan.biases) {
    const Tensor bias = *graph.find_initializer(name);
    check_finite(name, bias.data<float>());
    const Encoding& activation = source.activation_edge
                                     ? encodings.edges.at(*source.activation_edge)
                                     : encodings.tensors.at(source.activation);
    Encoding& weight = encodings.tensors.at(source.weight);
    if (is_given(plan, source.weight)) {
      if (saturates(bias.data<float>(), activation.scale[0], weight)) {
        findings.push_back({"bias-saturates", Severity::kWarning, name,
                            format("beyond int32 with the scales of '{}' and '{}'",
                                   source.activation, source.weight),
                            "give the weights larger scales"});
      }
    } else if (widen_weight_scales(bias.data<float>(), activation.scale[0], weight)) {
      const Tensor& values = *graph.find_initializer(source.weight);
      graph.set_initializer(source.weight, fake_quantize_tensor(values, weight));
    }
    const BiasScales scales = bias_scales(activation, weight);
    Encoding encoding;
    encoding.type = DType::kInt32;
    encoding.symmetric = true;
    encoding.granularity = scales.per_channel ? Granularity::kChannel : Granularity::kTensor;
    encoding.axis = 0;
    encoding.scale = scales.scale;
    encoding.zero_point.assign(encoding.scale.size(), 0);
    graph.set_initializer(name, fake_quantize_tensor(bias, encoding));
    encodings.tensors[name] = std::move(encoding);
  }
  return findings;
}

}  // namespace hexquant::weights
