#include "pipeline/optimize_samples.h"

#include <algorithm>
#include <random>
#include <span>

#include "pipeline/channel_last.h"
#include "pipeline/htp_model.h"

namespace hexquant::pipeline {
namespace {

using graph::Graph;
using graph::Node;
using Random = std::mt19937_64;

constexpr std::int64_t kImageRank = 4;
constexpr int kUniforms = 12;

/// Twelve uniform numbers less their mean have variance 1; unlike std::normal_distribution the sum
/// is the same everywhere.
void fill_normal(std::span<float> values, Random& random) {
  for (float& value : values) {
    double sum = -kUniforms / 2.0;
    for (int k = 0; k < kUniforms; ++k) sum += static_cast<double>(random() % 65536U) / 65536.0;
    value = static_cast<float>(sum);
  }
}

void fill_levels(Tensor& tensor, std::int64_t channel_axis, const passes::Normalization& levels,
                 Random& random) {
  std::int64_t inner = 1;
  for (std::int64_t axis = channel_axis + 1; axis < tensor.rank(); ++axis) {
    inner *= tensor.shape()[static_cast<std::size_t>(axis)];
  }
  const std::int64_t channels = tensor.shape()[static_cast<std::size_t>(channel_axis)];
  std::int64_t i = 0;
  for (float& value : tensor.mutable_data<float>()) {
    const auto channel = static_cast<std::size_t>(i++ / inner % channels);
    // Numbers that do not fit the channels are reported where they are to be folded.
    const auto at = [&](const std::vector<double>& all) {
      return all[channel < all.size() ? channel : 0];
    };
    value = static_cast<float>((static_cast<double>(random() % 256U) - at(levels.mean)) /
                               at(levels.std));
  }
}

void fill_integers(Tensor& tensor, Random& random) {
  if (tensor.dtype() == DType::kInt64) {
    for (std::int64_t& value : tensor.mutable_data<std::int64_t>()) {
      value = static_cast<std::int64_t>(random() % 2U);
    }
  } else if (tensor.dtype() == DType::kUInt8) {
    for (std::uint8_t& value : tensor.mutable_data<std::uint8_t>()) {
      value = static_cast<std::uint8_t>(random() % 256U);
    }
  }
}

}  // namespace

std::vector<ImageInput> image_inputs(const Graph& graph) {
  std::vector<ImageInput> images;
  for (const std::string& input : graph.inputs()) {
    const graph::ValueType* type = graph.find_type(input);
    if (type == nullptr || !type->shape || std::ssize(*type->shape) != kImageRank) continue;
    if (reaches_spatial_node(graph, input)) {
      images.push_back({input, 1});
      continue;
    }
    const Node* reader = graph.single_consumer(input);
    const bool is_nhwc =
        reader != nullptr && reader->is("Transpose") &&
        reader->ints_attribute("perm", {}) == std::vector<std::int64_t>{0, 3, 1, 2} &&
        reaches_spatial_node(graph, reader->output());
    if (is_nhwc) images.push_back({input, kImageRank - 1});
  }
  return images;
}

std::vector<runtime::Feeds> random_samples(const Graph& graph, std::int64_t count,
                                           std::uint64_t seed,
                                           const std::optional<passes::Normalization>& levels) {
  Graph fixed = graph;
  fix_dimensions(fixed, {});
  const std::vector<ImageInput> images = image_inputs(graph);
  Random random(seed + 1);
  std::vector<runtime::Feeds> samples(static_cast<std::size_t>(count));
  for (runtime::Feeds& sample : samples) {
    for (const std::string& input : fixed.inputs()) {
      const graph::ValueType& type = *fixed.find_type(input);
      Tensor tensor(type.dtype, *type.fixed_shape());
      const auto image = std::find_if(images.begin(), images.end(),
                                      [&](const ImageInput& one) { return one.name == input; });
      if (type.dtype != DType::kFloat32) {
        fill_integers(tensor, random);
      } else if (levels && image != images.end()) {
        fill_levels(tensor, image->channel_axis, *levels, random);
      } else {
        fill_normal(tensor.mutable_data<float>(), random);
      }
      sample[input] = std::move(tensor);
    }
  }
  return samples;
}

}  // namespace hexquant::pipeline
