#include "qat/quantizer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "hexquant/error.h"
#include "qat/torch_tensor.h"
#include "quant/fake_quant.h"

namespace hexquant::qat {
namespace {

/// A scale never falls below this share of its first value: it would never rise again.
constexpr double kLeastShare = 1e-3;

bool is_fixed(const quant::TensorPolicy* policy) {
  // A range factor keeps the highest codes unused, which a learned range would not know.
  return policy != nullptr &&
         (policy->fixed_encoding || policy->fixed_range || policy->range_factor != 1.0F);
}

/// Ranges with values on both sides of 0 move both ends; the others have their zero point at an end
/// (Relu) or in the middle (symmetric), where it stays.
GridParameter parameter_kind(const Encoding& encoding) {
  const bool one_range = encoding.granularity == Granularity::kTensor && !encoding.symmetric;
  const bool inner = encoding.zero_point.at(0) != encoding.q_min() &&
                     encoding.zero_point.at(0) != encoding.q_max();
  return one_range && inner ? GridParameter::kRange : GridParameter::kScale;
}

std::vector<std::size_t> channels_of_scales(const quant::ScaleLayout& layout) {
  std::vector<std::size_t> channels(static_cast<std::size_t>(layout.scale_count()));
  for (std::int64_t channel = 0; channel < layout.channels(); ++channel) {
    for (std::int64_t b = 0; b < layout.blocks(); ++b) {
      channels[static_cast<std::size_t>(layout.block_index(channel, b))] =
          static_cast<std::size_t>(channel);
    }
  }
  return channels;
}

/// True if these values round to the narrow codes alone: their scales are made for them.
bool fits_codes(const Tensor& values, const Grid& grid) {
  const std::vector<double> codes = to_doubles(quantize_tensor(values, grid.encoding));
  return std::all_of(codes.begin(), codes.end(), [&](double code) {
    return code >= static_cast<double>(grid.q_min()) && code <= static_cast<double>(grid.q_max());
  });
}

torch::Tensor leaf(std::vector<float> values) {
  return torch::tensor(std::move(values)).requires_grad_();
}

}  // namespace

Quantizer::Quantizer(std::string name, const Encoding& start, const quant::TensorPolicy* policy,
                     const Tensor* weight, bool is_learned)
    : name_(std::move(name)) {
  grid_.encoding = start;
  grid_.is_activation = weight == nullptr;
  if (start.has_two_level_scales()) {
    HEXQUANT_CHECK(weight != nullptr, "two-level scales belong to weights");
    channel_of_scale_ = channels_of_scales(quant::scale_layout(weight->shape(), start));
  }
  if (policy != nullptr) limits_ = policy->range_limits;
  if (!is_learned || is_fixed(policy)) return;
  grid_.learned = parameter_kind(start);
  make_parameter();
}

void Quantizer::make_parameter() {
  const Encoding& encoding = grid_.encoding;
  if (grid_.learned == GridParameter::kRange) {
    const auto steps = static_cast<double>(grid_.q_max() - grid_.q_min());
    first_range_ = {static_cast<float>(encoding.range_min() / steps),
                    static_cast<float>(encoding.range_max() / steps)};
    parameter_ = leaf({first_range_.min, first_range_.max});
  } else {
    parameter_ = leaf(encoding.has_two_level_scales() ? encoding.channel_scale : encoding.scale);
  }
}

void Quantizer::narrow(int bits, const Tensor& weight) {
  HEXQUANT_CHECK(grid_.encoding.symmetric, "narrow codes need a symmetric encoding");
  grid_.code_bits = bits;
  Encoding& encoding = grid_.encoding;
  if (fits_codes(weight, grid_)) return;
  const quant::ScaleLayout layout = quant::scale_layout(weight.shape(), encoding);
  const auto values = weight.data<float>();
  std::vector<double> sums(encoding.scale.size(), 0.0);
  std::vector<double> counts(encoding.scale.size(), 0.0);
  std::size_t element = 0;
  for (std::int64_t o = 0; o < layout.outer; ++o) {
    for (std::int64_t p = 0; p < layout.length; ++p) {
      for (std::int64_t i = 0; i < layout.inner; ++i, ++element) {
        const auto s = static_cast<std::size_t>(layout.index(o, p, i));
        sums[s] += std::abs(static_cast<double>(values[element]));
        counts[s] += 1.0;
      }
    }
  }
  const double positive = std::sqrt(static_cast<double>(grid_.q_max()));
  // Two-level scales become float ones: their integers were chosen for other codes.
  channel_of_scale_.clear();
  encoding.block_int_scale.clear();
  encoding.channel_scale.clear();
  for (std::size_t s = 0; s < sums.size(); ++s) {
    const double scale = 2.0 * sums[s] / std::max(1.0, counts[s]) / positive;
    if (scale > 0.0) encoding.scale[s] = static_cast<float>(scale);
  }
  if (grid_.learned != GridParameter::kNone) make_parameter();
}

torch::Tensor Quantizer::apply(const torch::Tensor& x) const {
  return fake_quantize(x, parameter_, current());
}

Grid Quantizer::current() const {
  Grid grid = grid_;
  if (!is_learned()) return grid;
  Encoding& encoding = grid.encoding;
  const auto* values = parameter_.data_ptr<float>();
  if (grid.learned == GridParameter::kRange) {
    // Scale and zero point would come back from a range that has not moved but for their last bit.
    if (values[0] == first_range_.min && values[1] == first_range_.max) return grid;
    const auto steps = static_cast<float>(grid.q_max() - grid.q_min());
    const Encoding made =
        encoding_from_range({values[0] * steps, values[1] * steps}, encoding.type, false);
    encoding.scale = made.scale;
    encoding.zero_point = made.zero_point;
    return grid;
  }
  const std::vector<float> scales(values, values + parameter_.numel());
  if (!encoding.has_two_level_scales()) {
    encoding.scale = scales;
    return grid;
  }
  encoding.channel_scale = scales;
  for (std::size_t s = 0; s < encoding.scale.size(); ++s) {
    encoding.scale[s] =
        static_cast<float>(encoding.block_int_scale[s]) * scales[channel_of_scale_[s]];
  }
  return grid;
}

Encoding Quantizer::encoding() const {
  return current().encoding;
}

Tensor Quantizer::rounded(const Tensor& values) const {
  const torch::NoGradGuard no_gradient;
  return from_torch(apply(to_torch(values)));
}

void Quantizer::limit(const Range& range) {
  const double half_step = 0.5 * grid_.encoding.scale[0];
  if (grid_.encoding.range_min() < range.min - half_step ||
      grid_.encoding.range_max() > range.max + half_step) {
    return;
  }
  limits_ =
      limits_ ? Range{std::max(limits_->min, range.min), std::min(limits_->max, range.max)} : range;
}

float Quantizer::largest_scale() const {
  const CodeBounds bounds = grid_.bounds(0);
  float largest = std::numeric_limits<float>::max();
  if (bounds.high > 0.0F) largest = std::min(largest, limits_->max / bounds.high);
  if (bounds.low < 0.0F && grid_.encoding.zero_point[0] == grid_.q_max()) {
    largest = limits_->min / bounds.low;
  }
  // A range that began beyond its limits stays there.
  return std::max(largest, grid_.encoding.scale[0]);
}

void Quantizer::project() {
  if (!is_learned()) return;
  const torch::NoGradGuard no_gradient;
  auto* values = parameter_.data_ptr<float>();
  if (grid_.learned == GridParameter::kScale) {
    const std::vector<float>& first =
        channel_of_scale_.empty() ? grid_.encoding.scale : grid_.encoding.channel_scale;
    for (std::size_t s = 0; s < first.size(); ++s) {
      values[s] = std::max(values[s], static_cast<float>(kLeastShare * first[s]));
      if (limits_) values[s] = std::min(values[s], largest_scale());
    }
    return;
  }
  const auto steps = static_cast<float>(grid_.q_max() - grid_.q_min());
  const float least = static_cast<float>(kLeastShare) * grid_.encoding.scale[0];
  values[0] = std::min(values[0], 0.0F);
  values[1] = std::max(values[1], 0.0F);
  if (limits_) {
    values[0] = std::max(values[0], std::min(limits_->min, 0.0F) / steps);
    values[1] = std::min(values[1], std::max(limits_->max, 0.0F) / steps);
  }
  if (values[1] - values[0] < least) values[1] = values[0] + least;
}

Parameter Quantizer::parameter() const {
  return {name_, parameter_, parameter_.detach().abs().mean().item<double>()};
}

}  // namespace hexquant::qat
