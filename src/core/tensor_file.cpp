#include "core/tensor_file.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "core/format.h"
#include "core/journal.h"
#include "core/json_cursor.h"
#include "hexquant/error.h"

namespace hexquant {
namespace {

constexpr std::string_view kMagic = "HQTENSOR";
constexpr std::size_t kSizeBytes = sizeof(std::uint64_t);
constexpr std::int64_t kLargest = std::int64_t{1} << 40;

[[noreturn]] void fail(const std::string& origin, const std::string& problem) {
  throw Error(ErrorCode::kInvalidData, origin + ": " + problem);
}

std::string_view elements_of(const Tensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.raw()), tensor.bytes()};
}

std::string size_text(std::uint64_t size) {
  std::string text(kSizeBytes, '\0');
  for (std::size_t i = 0; i < kSizeBytes; ++i) text[i] = static_cast<char>(size >> (8 * i));
  return text;
}

std::uint64_t size_from(std::string_view text) {
  std::uint64_t size = 0;
  for (std::size_t i = 0; i < kSizeBytes; ++i) {
    size |= std::uint64_t{static_cast<unsigned char>(text[i])} << (8 * i);
  }
  return size;
}

/// Element types that the file may hold, by their ONNX number.
DType dtype_from(const JsonCursor& cursor, const std::string& origin) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64, DType::kInt64, DType::kInt32,
                            DType::kUInt8, DType::kInt8}) {
    if (dtype_name(dtype) == cursor.text()) return dtype;
  }
  fail(origin, format("element type '{}' is not known", cursor.text().substr(0, 40)));
}

Shape shape_from(const JsonCursor& cursor) {
  Shape shape;
  cursor.expect_array();
  for (std::size_t i = 0; i < cursor.size(); ++i) {
    shape.push_back(cursor.at(i).integer(0, kLargest));
  }
  return shape;
}

/// Bytes of a tensor of this shape; more than `limit` (those that are left) is refused before
/// anything of that size is made.
std::size_t bytes_of(DType dtype, const Shape& shape, std::size_t limit,
                     const std::string& origin) {
  std::uint64_t bytes = static_cast<std::uint64_t>(dtype_bits(dtype)) / 8;
  for (const std::int64_t dim : shape) {
    if (dim != 0 && bytes > limit / static_cast<std::uint64_t>(dim)) {
      fail(origin, "cut short: a tensor is larger than the file");
    }
    bytes *= static_cast<std::uint64_t>(dim);
  }
  // A scalar has no dimension that would have been looked at.
  if (bytes > limit) fail(origin, "cut short: a tensor is larger than the file");
  return static_cast<std::size_t>(bytes);
}

Tensor take_tensor(const JsonCursor& entry, std::string_view& rest, const std::string& origin) {
  const DType dtype = dtype_from(entry.at("dtype"), origin);
  const Shape shape = shape_from(entry.at("shape"));
  const std::size_t size_bytes = bytes_of(dtype, shape, rest.size(), origin);
  Tensor tensor(dtype, shape);
  if (size_bytes > 0) std::memcpy(tensor.mutable_raw(), rest.data(), size_bytes);
  rest.remove_prefix(size_bytes);
  return tensor;
}

}  // namespace

std::string tensor_file_bytes(const TensorFile& file, const std::string& kind, int version) {
  Json tensors = Json::array();
  Digest digest;
  std::size_t total_bytes = 0;
  for (const auto& [name, tensor] : file.tensors) {
    tensors.push_back(
        {{"name", name}, {"dtype", dtype_name(tensor.dtype())}, {"shape", tensor.shape()}});
    digest.add(elements_of(tensor));
    total_bytes += tensor.bytes();
  }
  const std::string header = to_text({{"kind", kind},
                                      {"version", version},
                                      {"digest", digest.text()},
                                      {"header", file.header},
                                      {"tensors", std::move(tensors)}});
  std::string bytes(kMagic);
  bytes.reserve(kMagic.size() + kSizeBytes + header.size() + total_bytes);
  bytes += size_text(header.size());
  bytes += header;
  for (const auto& [name, tensor] : file.tensors) bytes += elements_of(tensor);
  return bytes;
}

TensorFile parse_tensor_file(std::string_view bytes, const std::string& origin,
                             const std::string& kind, int version) {
  if (!bytes.starts_with(kMagic) || bytes.size() < kMagic.size() + kSizeBytes) {
    fail(origin, format("not a file of kind '{}'", kind));
  }
  bytes.remove_prefix(kMagic.size());
  const std::uint64_t header_bytes = size_from(bytes);
  bytes.remove_prefix(kSizeBytes);
  if (header_bytes > bytes.size()) fail(origin, "cut short in its header");
  const Json json = parse_json(std::string(bytes.substr(0, header_bytes)), origin);
  std::string_view rest = bytes.substr(header_bytes);
  const JsonCursor cursor(json, origin);
  if (cursor.at("kind").text() != kind || cursor.at("version").integer(0, kLargest) != version) {
    fail(origin, format("holds '{}' version {}: expected '{}' version {}",
                        cursor.at("kind").text().substr(0, 40),
                        cursor.at("version").integer(0, kLargest), kind, version));
  }
  TensorFile file;
  file.header = cursor.at("header").json();
  Digest digest;
  const JsonCursor entries = cursor.at("tensors");
  entries.expect_array();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const JsonCursor entry = entries.at(i);
    Tensor tensor = take_tensor(entry, rest, origin);
    digest.add(elements_of(tensor));
    file.tensors.insert_or_assign(entry.at("name").text(), std::move(tensor));
  }
  if (!rest.empty()) fail(origin, format("{} bytes behind its end", rest.size()));
  if (digest.text() != cursor.at("digest").text()) fail(origin, "damaged: wrong digest");
  return file;
}

}  // namespace hexquant
