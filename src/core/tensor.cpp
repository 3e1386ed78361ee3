#include "hexquant/tensor.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "core/float16.h"
#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant {
namespace {

std::size_t buffer_bytes(DType dtype, std::int64_t size) {
  return (static_cast<std::size_t>(size) * static_cast<std::size_t>(dtype_bits(dtype)) + 7) / 8;
}

std::shared_ptr<std::byte> allocate(std::size_t size_bytes) {
  // Cache-line alignment, so that vector kernels and the inference runtime can use it as it is.
  constexpr std::size_t kAlignment = 64;
  // calloc, because pages that come fresh from the kernel need no second clearing: large tensors
  // that nobody fills cost nothing.
  void* block = std::calloc(size_bytes + kAlignment, 1);
  if (block == nullptr) throw std::bad_alloc();
  const auto address = reinterpret_cast<std::uintptr_t>(block);
  auto* data = static_cast<std::byte*>(block) + (kAlignment - address % kAlignment);
  return {data, [block](std::byte*) { std::free(block); }};
}

std::int64_t nibble(const std::byte* bytes, std::int64_t index) {
  const auto packed = std::to_integer<unsigned>(bytes[index / 2]);
  return static_cast<std::int64_t>((packed >> (index % 2 * 4)) & 0xFU);
}

template <typename T>
std::vector<double> widen(const Tensor& tensor) {
  const auto values = tensor.data<T>();
  return {values.begin(), values.end()};
}

std::vector<double> widen_half(const Tensor& tensor) {
  std::vector<double> out(static_cast<std::size_t>(tensor.size()));
  const auto* half = reinterpret_cast<const std::uint16_t*>(tensor.raw());
  const bool bfloat = tensor.dtype() == DType::kBFloat16;
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = bfloat ? bfloat16_to_float(half[i]) : float16_to_float(half[i]);
  }
  return out;
}

std::vector<double> widen_nibbles(const Tensor& tensor) {
  std::vector<double> out(static_cast<std::size_t>(tensor.size()));
  for (std::int64_t i = 0; i < tensor.size(); ++i) {
    std::int64_t value = nibble(tensor.raw(), i);
    if (tensor.dtype() == DType::kInt4 && value > 7) value -= 16;
    out[static_cast<std::size_t>(i)] = static_cast<double>(value);
  }
  return out;
}

}  // namespace

std::string dtype_name(DType dtype) {
  switch (dtype) {
    case DType::kUndefined:
      return "undefined";
    case DType::kFloat32:
      return "float32";
    case DType::kUInt8:
      return "uint8";
    case DType::kInt8:
      return "int8";
    case DType::kUInt16:
      return "uint16";
    case DType::kInt16:
      return "int16";
    case DType::kInt32:
      return "int32";
    case DType::kInt64:
      return "int64";
    case DType::kString:
      return "string";
    case DType::kBool:
      return "bool";
    case DType::kFloat16:
      return "float16";
    case DType::kFloat64:
      return "float64";
    case DType::kUInt32:
      return "uint32";
    case DType::kUInt64:
      return "uint64";
    case DType::kComplex64:
      return "complex64";
    case DType::kComplex128:
      return "complex128";
    case DType::kBFloat16:
      return "bfloat16";
    case DType::kUInt4:
      return "uint4";
    case DType::kInt4:
      return "int4";
  }
  return format("onnx type {}", static_cast<int>(dtype));
}

int dtype_bits(DType dtype) noexcept {
  switch (dtype) {
    case DType::kUInt4:
    case DType::kInt4:
      return 4;
    case DType::kUInt8:
    case DType::kInt8:
    case DType::kBool:
      return 8;
    case DType::kUInt16:
    case DType::kInt16:
    case DType::kFloat16:
    case DType::kBFloat16:
      return 16;
    case DType::kFloat32:
    case DType::kInt32:
    case DType::kUInt32:
      return 32;
    case DType::kFloat64:
    case DType::kInt64:
    case DType::kUInt64:
    case DType::kComplex64:
      return 64;
    case DType::kComplex128:
      return 128;
    case DType::kUndefined:
    case DType::kString:
      return 0;
  }
  return 0;
}

bool is_floating(DType dtype) noexcept {
  return dtype == DType::kFloat32 || dtype == DType::kFloat16 || dtype == DType::kFloat64 ||
         dtype == DType::kBFloat16;
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t dim : shape) {
    if (dim < 0) {
      throw Error(ErrorCode::kInvalidModel, "negative dimension in shape " + shape_text(shape));
    }
    if (dim != 0 && count > std::numeric_limits<std::int64_t>::max() / 128 / dim) {
      throw Error(ErrorCode::kInvalidModel, "shape " + shape_text(shape) + " is too large");
    }
    count *= dim;
  }
  return count;
}

std::string shape_text(const Shape& shape) {
  return format("[{}]", join(shape, ","));
}

Tensor::Tensor(DType dtype, Shape shape)
    : dtype_(dtype), shape_(std::move(shape)), size_(element_count(shape_)) {
  buffer_ = allocate(buffer_bytes(dtype_, size_));
}

Tensor::Tensor(DType dtype, Shape shape, std::shared_ptr<const std::byte> bytes)
    : dtype_(dtype),
      shape_(std::move(shape)),
      size_(element_count(shape_)),
      buffer_(std::move(bytes)),
      foreign_(true) {}

std::size_t Tensor::bytes() const noexcept {
  return buffer_bytes(dtype_, size_);
}

std::byte* Tensor::mutable_raw() {
  if (foreign_ || buffer_.use_count() > 1) {
    const std::shared_ptr<std::byte> copy = allocate(bytes());
    std::memcpy(copy.get(), buffer_.get(), bytes());
    buffer_ = copy;
    foreign_ = false;
  }
  // The buffer was made by allocate() above and has no other holder: writing it is sound.
  return const_cast<std::byte*>(buffer_.get());
}

Tensor Tensor::reshaped(Shape shape) const {
  HEXQUANT_CHECK(element_count(shape) == size_,
                 "cannot view " + shape_text(shape_) + " as " + shape_text(shape));
  Tensor view = *this;
  view.shape_ = std::move(shape);
  return view;
}

bool operator==(const Tensor& a, const Tensor& b) {
  return a.dtype_ == b.dtype_ && a.shape_ == b.shape_ &&
         (a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), a.bytes()) == 0);
}

void Tensor::check_dtype(DType wanted) const {
  HEXQUANT_CHECK(dtype_ == wanted,
                 "tensor is " + dtype_name(dtype_) + ", asked as " + dtype_name(wanted));
}

void Tensor::copy_from(const void* source, std::size_t size_bytes) {
  HEXQUANT_CHECK(size_bytes == bytes(), "wrong number of values for shape " + shape_text(shape_));
  if (size_bytes != 0) std::memcpy(mutable_raw(), source, size_bytes);
}

std::vector<double> to_doubles(const Tensor& tensor) {
  switch (tensor.dtype()) {
    case DType::kFloat32:
      return widen<float>(tensor);
    case DType::kFloat64:
      return widen<double>(tensor);
    case DType::kInt8:
      return widen<std::int8_t>(tensor);
    case DType::kUInt8:
      return widen<std::uint8_t>(tensor);
    case DType::kInt16:
      return widen<std::int16_t>(tensor);
    case DType::kUInt16:
      return widen<std::uint16_t>(tensor);
    case DType::kInt32:
      return widen<std::int32_t>(tensor);
    case DType::kUInt32:
      return widen<std::uint32_t>(tensor);
    case DType::kInt64:
      return widen<std::int64_t>(tensor);
    case DType::kUInt64:
      return widen<std::uint64_t>(tensor);
    case DType::kBool:
      return widen<bool>(tensor);
    case DType::kFloat16:
    case DType::kBFloat16:
      return widen_half(tensor);
    case DType::kInt4:
    case DType::kUInt4:
      return widen_nibbles(tensor);
    default:
      throw Error(ErrorCode::kUnsupported,
                  "cannot read " + dtype_name(tensor.dtype()) + " values as numbers");
  }
}

std::vector<std::int64_t> to_int64s(const Tensor& tensor) {
  if (tensor.dtype() == DType::kInt64) {
    const auto values = tensor.data<std::int64_t>();
    return {values.begin(), values.end()};
  }
  if (is_floating(tensor.dtype()) || dtype_bits(tensor.dtype()) == 0) {
    throw Error(ErrorCode::kInvalidModel,
                "expected an integer tensor, got " + dtype_name(tensor.dtype()));
  }
  std::vector<std::int64_t> out;
  for (const double value : to_doubles(tensor)) out.push_back(static_cast<std::int64_t>(value));
  return out;
}

}  // namespace hexquant
