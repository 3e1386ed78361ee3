#include "weights/block_scales.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace hexquant::weights {
namespace {

double rounding_error(std::span<const float> values, float scale, float low, float high) {
  double error = 0.0;
  for (const float value : values) {
    const float code = std::nearbyint(std::clamp(value / scale, low, high));
    const double difference = value - code * scale;
    error += difference * difference;
  }
  return error;
}

}  // namespace

float exact_channel_scale(float scale) noexcept {
  constexpr int kSignificandBits = 16;
  int exponent = 0;
  const float mantissa = std::frexp(scale, &exponent);
  const float rounded = std::nearbyint(std::ldexp(mantissa, kSignificandBits));
  return std::max(std::ldexp(rounded, exponent - kSignificandBits),
                  std::numeric_limits<float>::min());
}

void use_integer_block_scales(const std::vector<std::vector<float>>& blocks,
                              const quant::ScaleLayout& layout, int bits, Encoding& encoding) {
  const int largest = 1 << bits;
  const auto low = static_cast<float>(encoding.q_min());
  const auto high = static_cast<float>(encoding.q_max());
  encoding.block_int_scale.assign(encoding.scale.size(), 1);
  encoding.channel_scale.assign(static_cast<std::size_t>(layout.channels()), 0.0F);
  for (std::int64_t channel = 0; channel < layout.channels(); ++channel) {
    float& unit = encoding.channel_scale[static_cast<std::size_t>(channel)];
    for (std::int64_t b = 0; b < layout.blocks(); ++b) {
      unit =
          std::max(unit, encoding.scale[static_cast<std::size_t>(layout.block_index(channel, b))]);
    }
    unit = exact_channel_scale(unit / static_cast<float>(largest));
    for (std::int64_t b = 0; b < layout.blocks(); ++b) {
      const auto s = static_cast<std::size_t>(layout.block_index(channel, b));
      const int lower = std::clamp(static_cast<int>(encoding.scale[s] / unit), 1, largest);
      const int upper = std::min(lower + 1, largest);
      const auto error = [&](int integer) {
        return rounding_error(blocks[s], static_cast<float>(integer) * unit, low, high);
      };
      const int best = error(lower) < error(upper) ? lower : upper;
      encoding.block_int_scale[s] = static_cast<std::uint16_t>(best);
      encoding.scale[s] = static_cast<float>(best) * unit;
    }
  }
}

}  // namespace hexquant::weights
