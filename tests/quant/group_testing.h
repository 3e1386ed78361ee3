#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "graph/graph.h"
#include "hexquant/encoding.h"
#include "hexquant/error.h"
#include "quant/fake_quant.h"

namespace hexquant::test {

inline graph::ValueType float_type(const Shape& shape) {
  graph::ValueType type;
  type.dtype = DType::kFloat32;
  type.shape.emplace();
  for (const std::int64_t dim : shape) type.shape->push_back({dim, ""});
  return type;
}

inline Tensor random_tensor(const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) value = normal(random);
  return Tensor::from<float>(shape, values);
}

/// Random group scales that clip some of the normal weights; two-level: integers 1 ... 16.
inline Encoding group_encoding(const Shape& shape, int axis, std::int64_t block, DType type,
                               bool two_levels = false) {
  std::mt19937 random(9);
  std::uniform_real_distribution<float> pick(0.05F, 0.35F);
  Encoding encoding;
  encoding.type = type;
  encoding.symmetric = true;
  encoding.granularity = Granularity::kGroup;
  encoding.axis = axis;
  encoding.block_size = block;
  const std::int64_t count = element_count(quant::scale_shape(shape, encoding));
  for (std::int64_t i = 0; i < count; ++i) encoding.scale.push_back(pick(random));
  encoding.zero_point.assign(encoding.scale.size(), 0);
  if (!two_levels) return encoding;
  const quant::ScaleLayout layout = quant::scale_layout(shape, encoding);
  std::vector<std::uint16_t> integers(encoding.scale.size());
  for (std::int64_t channel = 0; channel < layout.channels(); ++channel) {
    // 12 significant bits: products with an 8-bit grid are exact.
    encoding.channel_scale.push_back(std::round(pick(random) * 4096.0F) / 65536.0F);
    for (std::int64_t b = 0; b < layout.blocks(); ++b) {
      const auto s = static_cast<std::size_t>(layout.block_index(channel, b));
      integers[s] = static_cast<std::uint16_t>(1 + random() % 16);
      encoding.scale[s] = static_cast<float>(integers[s]) * encoding.channel_scale.back();
    }
  }
  encoding.block_int_scale = integers;
  return encoding;
}

}  // namespace hexquant::test
