#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace hexquant::weights {

/// Floats that start at a multiple of 64 bytes, as the panel kernels need them.
class AlignedFloats {
 public:
  /// Room for `count` floats; what they hold is unspecified. Memory is kept when it suffices.
  void resize(std::int64_t count) {
    if (count <= capacity_) return;
    const auto bytes = static_cast<std::size_t>(count) * sizeof(float);
    data_.reset(static_cast<float*>(::operator new(bytes, kAlignment)));
    capacity_ = count;
  }
  [[nodiscard]] float* data() noexcept { return data_.get(); }
  [[nodiscard]] const float* data() const noexcept { return data_.get(); }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(float* data) const noexcept { ::operator delete(data, kAlignment); }
  };
  std::unique_ptr<float, Free> data_;
  std::int64_t capacity_ = 0;
};

}  // namespace hexquant::weights
