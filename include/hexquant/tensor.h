#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace hexquant {

/// Element types, with the numbering of onnx.TensorProto.DataType.
enum class DType : int {
  kUndefined = 0,
  kFloat32 = 1,
  kUInt8 = 2,
  kInt8 = 3,
  kUInt16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kFloat64 = 11,
  kUInt32 = 12,
  kUInt64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBFloat16 = 16,
  kUInt4 = 21,
  kInt4 = 22
};

/// Lower-case ONNX name: "float32", "uint8", "int4", ...
[[nodiscard]] std::string dtype_name(DType dtype);
/// Bits an element takes in a tensor's buffer (4 for the packed 4-bit types; 0 for strings).
[[nodiscard]] int dtype_bits(DType dtype) noexcept;
[[nodiscard]] bool is_floating(DType dtype) noexcept;

/// Dimensions, outermost first. Empty = scalar.
using Shape = std::vector<std::int64_t>;

/// Product of the dimensions. @throws Error(kInvalidModel) on a negative dimension or overflow.
[[nodiscard]] std::int64_t element_count(const Shape& shape);
/// "[1,3,224,224]"
[[nodiscard]] std::string shape_text(const Shape& shape);

template <typename T>
inline constexpr DType kDTypeOf = DType::kUndefined;
template <>
inline constexpr DType kDTypeOf<float> = DType::kFloat32;
template <>
inline constexpr DType kDTypeOf<double> = DType::kFloat64;
template <>
inline constexpr DType kDTypeOf<std::int8_t> = DType::kInt8;
template <>
inline constexpr DType kDTypeOf<std::uint8_t> = DType::kUInt8;
template <>
inline constexpr DType kDTypeOf<std::int16_t> = DType::kInt16;
template <>
inline constexpr DType kDTypeOf<std::uint16_t> = DType::kUInt16;
template <>
inline constexpr DType kDTypeOf<std::int32_t> = DType::kInt32;
template <>
inline constexpr DType kDTypeOf<std::uint32_t> = DType::kUInt32;
template <>
inline constexpr DType kDTypeOf<std::int64_t> = DType::kInt64;
template <>
inline constexpr DType kDTypeOf<std::uint64_t> = DType::kUInt64;
template <>
inline constexpr DType kDTypeOf<bool> = DType::kBool;

/// A dense, row-major tensor. Copies share the buffer; writing through `mutable_data` first makes
/// a private copy, so a `const Tensor` never changes behind its holder's back.
///
/// 4-bit types are packed two to a byte, low nibble first, as in ONNX.
class Tensor {
 public:
  Tensor() = default;
  /// Zero-filled tensor. @throws Error on a negative dimension.
  Tensor(DType dtype, Shape shape);
  /// Takes bytes that live elsewhere (a mapped file, a foreign buffer) and keeps `owner` alive.
  Tensor(DType dtype, Shape shape, std::shared_ptr<const std::byte> bytes);

  /// Copies `values`; their number must equal the product of `shape`.
  template <typename T>
  static Tensor from(const Shape& shape, std::span<const T> values) {
    Tensor tensor(kDTypeOf<T>, shape);
    tensor.copy_from(values.data(), values.size_bytes());
    return tensor;
  }
  template <typename T>
  static Tensor from(const Shape& shape, const std::vector<T>& values) {
    return from<T>(shape, std::span<const T>(values));
  }
  template <typename T>
  static Tensor scalar(T value) {
    return from<T>({}, std::span<const T>(&value, 1));
  }

  [[nodiscard]] DType dtype() const noexcept { return dtype_; }
  [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
  [[nodiscard]] std::int64_t rank() const noexcept {
    return static_cast<std::int64_t>(shape_.size());
  }
  [[nodiscard]] std::int64_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t bytes() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  [[nodiscard]] const std::byte* raw() const noexcept { return buffer_.get(); }
  /// Detaches from other holders of the buffer first.
  [[nodiscard]] std::byte* mutable_raw();

  /// Elements as T. @throws Error(kInternal) if T is not the element type.
  template <typename T>
  [[nodiscard]] std::span<const T> data() const {
    check_dtype(kDTypeOf<T>);
    return {reinterpret_cast<const T*>(raw()), static_cast<std::size_t>(size_)};
  }
  template <typename T>
  [[nodiscard]] std::span<T> mutable_data() {
    check_dtype(kDTypeOf<T>);
    return {reinterpret_cast<T*>(mutable_raw()), static_cast<std::size_t>(size_)};
  }

  /// Same elements under another shape of equal size (buffer shared).
  [[nodiscard]] Tensor reshaped(Shape shape) const;

  /// Equal type, shape and bytes.
  friend bool operator==(const Tensor& a, const Tensor& b);

 private:
  void check_dtype(DType wanted) const;
  void copy_from(const void* source, std::size_t size_bytes);

  DType dtype_ = DType::kUndefined;
  Shape shape_;
  std::int64_t size_ = 0;
  std::shared_ptr<const std::byte> buffer_;
  bool foreign_ = false;  // bytes that this class did not allocate are never written
};

/// Values of any integer or float tensor widened to double, for checks and reports.
[[nodiscard]] std::vector<double> to_doubles(const Tensor& tensor);
/// Values of an integer tensor (1-D or scalar). @throws Error(kInvalidModel) on another type.
[[nodiscard]] std::vector<std::int64_t> to_int64s(const Tensor& tensor);

}  // namespace hexquant
