#include "formats/onnx/tensor_proto.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::formats {
namespace {

/// Type, shape and sizes of a tensor before its data is looked at.
struct Header {
  DType dtype = DType::kUndefined;
  Shape shape;
  std::size_t count = 0;
  std::size_t size_bytes = 0;
  std::string what;

  [[nodiscard]] std::string type_text() const { return dtype_name(dtype) + shape_text(shape); }
};

std::size_t packed_bytes(std::size_t count, DType dtype) {
  return (count * static_cast<std::size_t>(dtype_bits(dtype)) + 7) / 8;
}

Header read_header(const onnx::TensorProto& proto, const std::string& what) {
  Header header{static_cast<DType>(proto.data_type()),
                Shape(proto.dims().begin(), proto.dims().end()), 0, 0, what};
  try {
    header.count = static_cast<std::size_t>(element_count(header.shape));
  } catch (const Error& error) {
    throw Error(error.code(), format("{}: {}", what, error.what()));
  }
  header.size_bytes = packed_bytes(header.count, header.dtype);
  return header;
}

[[noreturn]] void wrong_size(const Header& header, std::size_t given, std::size_t expected,
                             const char* unit) {
  throw Error(ErrorCode::kInvalidModel, format("{}: {} {} of data, expected {} for {}", header.what,
                                               given, unit, expected, header.type_text()));
}

/// Takes raw_data over from the proto.
Tensor from_raw(onnx::TensorProto& proto, const Header& header) {
  if (proto.raw_data().size() != header.size_bytes) {
    wrong_size(header, proto.raw_data().size(), header.size_bytes, "bytes");
  }
  const std::shared_ptr<std::string> owner(proto.release_raw_data());
  const auto* bytes = reinterpret_cast<const std::byte*>(owner->data());
  return {header.dtype, header.shape, std::shared_ptr<const std::byte>(owner, bytes)};
}

Tensor from_external(const onnx::TensorProto& proto, const Header& header, ExternalData& external) {
  DataSlice slice = external.slice(proto, header.what, header.size_bytes);
  const std::size_t element_bytes =
      std::max<std::size_t>(1, static_cast<std::size_t>(dtype_bits(header.dtype)) / 8);
  if (reinterpret_cast<std::uintptr_t>(slice.bytes.get()) % element_bytes == 0 &&
      slice.bytes != nullptr) {
    return {header.dtype, header.shape, std::move(slice.bytes)};
  }
  // An offset that would misalign the elements: they move to memory of our own.
  Tensor tensor(header.dtype, header.shape);
  if (slice.size_bytes != 0) {
    std::memcpy(tensor.mutable_raw(), slice.bytes.get(), slice.size_bytes);
  }
  return tensor;
}

/// Copies a typed field of `Stored` values into elements of type T (sizes as given).
template <typename T, typename Field>
Tensor from_field(const Field& field, const Header& header, std::size_t expected) {
  if (static_cast<std::size_t>(field.size()) != expected) {
    wrong_size(header, static_cast<std::size_t>(field.size()), expected, "values");
  }
  Tensor tensor(header.dtype, header.shape);
  if (expected == 0) return tensor;
  auto* out = reinterpret_cast<T*>(tensor.mutable_raw());
  for (std::size_t i = 0; i < expected; ++i) {
    const auto stored = field.Get(static_cast<int>(i));
    out[i] = static_cast<T>(stored);
    if constexpr (std::is_integral_v<T> && sizeof(T) < sizeof(stored)) {
      if (stored < static_cast<decltype(stored)>(std::numeric_limits<T>::min()) ||
          stored > static_cast<decltype(stored)>(std::numeric_limits<T>::max())) {
        throw Error(ErrorCode::kInvalidModel, format("{}: value {} does not fit {}", header.what,
                                                     stored, dtype_name(header.dtype)));
      }
    }
  }
  return tensor;
}

/// The typed fields, as TensorProto defines them for each data type.
Tensor from_typed(const onnx::TensorProto& proto, const Header& header) {
  switch (header.dtype) {
    case DType::kFloat32:
      return from_field<float>(proto.float_data(), header, header.count);
    case DType::kComplex64:
      return from_field<float>(proto.float_data(), header, header.count * 2);
    case DType::kFloat64:
      return from_field<double>(proto.double_data(), header, header.count);
    case DType::kComplex128:
      return from_field<double>(proto.double_data(), header, header.count * 2);
    case DType::kInt64:
      return from_field<std::int64_t>(proto.int64_data(), header, header.count);
    case DType::kUInt64:
      return from_field<std::uint64_t>(proto.uint64_data(), header, header.count);
    case DType::kUInt32:
      return from_field<std::uint32_t>(proto.uint64_data(), header, header.count);
    case DType::kInt32:
      return from_field<std::int32_t>(proto.int32_data(), header, header.count);
    case DType::kInt16:
      return from_field<std::int16_t>(proto.int32_data(), header, header.count);
    case DType::kUInt16:
    case DType::kFloat16:
    case DType::kBFloat16:
      return from_field<std::uint16_t>(proto.int32_data(), header, header.count);
    case DType::kInt8:
      return from_field<std::int8_t>(proto.int32_data(), header, header.count);
    case DType::kUInt8:
    case DType::kBool:
      return from_field<std::uint8_t>(proto.int32_data(), header, header.count);
    case DType::kInt4:
    case DType::kUInt4:  // each value is one byte that holds two elements
      return from_field<std::uint8_t>(proto.int32_data(), header, header.size_bytes);
    default:
      throw Error(ErrorCode::kUnsupported,
                  format("{}: element type {}", header.what, dtype_name(header.dtype)));
  }
}

}  // namespace

bool tensor_holds(int onnx_data_type) noexcept {
  return dtype_bits(static_cast<DType>(onnx_data_type)) != 0;
}

Tensor read_tensor(onnx::TensorProto& proto, const std::string& what, ExternalData& external) {
  const Header header = read_header(proto, what);
  if (proto.has_segment()) {
    throw Error(ErrorCode::kUnsupported, what + ": tensors stored in segments");
  }
  if (proto.data_location() == onnx::TensorProto::EXTERNAL) {
    return from_external(proto, header, external);
  }
  if (proto.has_raw_data()) return from_raw(proto, header);
  return from_typed(proto, header);
}

void embed_external_data(onnx::TensorProto& proto, const std::string& what,
                         ExternalData& external) {
  if (proto.data_location() != onnx::TensorProto::EXTERNAL) return;
  std::optional<std::size_t> expected_bytes;
  if (tensor_holds(proto.data_type())) expected_bytes = read_header(proto, what).size_bytes;
  const DataSlice slice = external.slice(proto, what, expected_bytes);
  proto.set_raw_data(slice.bytes.get(), slice.size_bytes);
  proto.clear_external_data();
  proto.clear_data_location();
}

void write_tensor_header(const Tensor& tensor, const std::string& name, onnx::TensorProto& proto) {
  if (!name.empty()) proto.set_name(name);
  proto.set_data_type(static_cast<int>(tensor.dtype()));
  for (const std::int64_t dim : tensor.shape()) proto.add_dims(dim);
}

void write_tensor(const Tensor& tensor, const std::string& name, onnx::TensorProto& proto) {
  write_tensor_header(tensor, name, proto);
  proto.set_raw_data(tensor.raw(), tensor.bytes());
}

}  // namespace hexquant::formats
