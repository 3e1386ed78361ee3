#pragma once

#include <limits>
#include <vector>

#include "hexquant/tensor.h"
#include "runtime/tap_session.h"

namespace hexquant::test {

inline runtime::TapView plain_view(const Tensor& tensor, std::size_t index = 0) {
  return {index, tensor.dtype(), tensor.shape(), tensor.raw(), 1};
}

/// A rank-4 tensor in blocked layout, its padding filled with NaN: nobody may read it.
struct BlockedTensor {
  BlockedTensor(const Tensor& tensor, std::int64_t block) : block_(block), shape_(tensor.shape()) {
    const std::int64_t channels = shape_[1];
    const std::int64_t plane = shape_[2] * shape_[3];
    const std::int64_t padded = (channels + block - 1) / block * block;
    values_.assign(static_cast<std::size_t>(shape_[0] * padded * plane),
                   std::numeric_limits<float>::quiet_NaN());
    const auto data = tensor.data<float>();
    for (std::int64_t n = 0; n < shape_[0]; ++n) {
      for (std::int64_t c = 0; c < channels; ++c) {
        for (std::int64_t i = 0; i < plane; ++i) {
          const std::int64_t to = ((n * padded + c - c % block) * plane) + i * block + c % block;
          values_[static_cast<std::size_t>(to)] =
              data[static_cast<std::size_t>((n * channels + c) * plane + i)];
        }
      }
    }
  }
  [[nodiscard]] runtime::TapView view(std::size_t index = 0) const {
    return {index, DType::kFloat32, shape_, reinterpret_cast<const std::byte*>(values_.data()),
            block_};
  }

 private:
  std::int64_t block_;
  Shape shape_;
  std::vector<float> values_;
};

}  // namespace hexquant::test
