#include "data/npy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/file_io.h"
#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

static_assert(std::endian::native == std::endian::little, "files are read as little-endian");

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr std::size_t kHeaderAlignment = 64;  // what numpy pads its headers to

constexpr std::array<std::pair<std::string_view, DType>, 12> kTypeNames{{{"b1", DType::kBool},
                                                                         {"i1", DType::kInt8},
                                                                         {"i2", DType::kInt16},
                                                                         {"i4", DType::kInt32},
                                                                         {"i8", DType::kInt64},
                                                                         {"u1", DType::kUInt8},
                                                                         {"u2", DType::kUInt16},
                                                                         {"u4", DType::kUInt32},
                                                                         {"u8", DType::kUInt64},
                                                                         {"f2", DType::kFloat16},
                                                                         {"f4", DType::kFloat32},
                                                                         {"f8", DType::kFloat64}}};

[[noreturn]] void fail(const std::string& origin, const std::string& problem) {
  throw Error(ErrorCode::kInvalidData, origin + ": " + problem);
}

/// Reads the Python dictionary literal of a header, e.g.
/// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderText {
 public:
  HeaderText(std::string_view text, const std::string& origin) : text_(text), origin_(origin) {}

  /// Skips blanks, then `symbol` if it is next.
  bool accept(char symbol) {
    skip_blanks();
    if (text_.empty() || text_.front() != symbol) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char symbol) {
    if (!accept(symbol)) damaged();
  }
  std::string_view quoted() {
    skip_blanks();
    if (text_.empty() || (text_.front() != '\'' && text_.front() != '"')) damaged();
    const auto end = text_.find(text_.front(), 1);
    if (end == std::string_view::npos) damaged();
    const std::string_view value = text_.substr(1, end - 1);
    text_.remove_prefix(end + 1);
    return value;
  }
  bool boolean() {
    skip_blanks();
    for (const auto& [word, value] : {std::pair{"True", true}, std::pair{"False", false}}) {
      if (!text_.starts_with(word)) continue;
      text_.remove_prefix(std::strlen(word));
      return value;
    }
    damaged();
  }
  std::int64_t integer() {
    skip_blanks();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (error != std::errc() || value < 0) damaged();
    text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
    accept('L');  // Python 2 wrote long integers so
    return value;
  }
  [[nodiscard]] bool next_is(char symbol) {
    skip_blanks();
    return !text_.empty() && text_.front() == symbol;
  }
  [[noreturn]] void damaged() const { fail(origin_, "damaged .npy header"); }

 private:
  void skip_blanks() {
    const auto first = text_.find_first_not_of(" \t\r\n");
    text_.remove_prefix(first == std::string_view::npos ? text_.size() : first);
  }

  std::string_view text_;
  const std::string& origin_;
};

DType parse_dtype(std::string_view descr, const std::string& origin) {
  if (descr.size() == 3 && (descr[0] == '<' || descr[0] == '|' || descr[0] == '=')) {
    for (const auto& [name, dtype] : kTypeNames) {
      if (descr.substr(1) == name) return dtype;
    }
  }
  const char* reason = !descr.empty() && descr[0] == '>' ? " (big-endian)" : "";
  throw Error(ErrorCode::kUnsupported,
              format("{}: element type '{}'{} is not supported: expected little-endian bool, "
                     "int8..64, uint8..64 or float16/32/64",
                     origin, descr, reason));
}

Shape parse_shape(HeaderText& text) {
  Shape shape;
  text.expect('(');
  while (!text.accept(')')) {
    shape.push_back(text.integer());
    if (!text.accept(',') && !text.next_is(')')) text.damaged();
  }
  return shape;
}

void parse_dictionary(HeaderText text, const std::string& origin, NpyHeader& header) {
  std::optional<DType> dtype;
  std::optional<bool> fortran_order;
  std::optional<Shape> shape;
  text.expect('{');
  while (!text.accept('}')) {
    const std::string_view key = text.quoted();
    text.expect(':');
    if (key == "descr") {
      if (text.next_is('[') || text.next_is('(')) {
        throw Error(ErrorCode::kUnsupported,
                    origin + ": structured element types are not supported: save one plain array");
      }
      dtype = parse_dtype(text.quoted(), origin);
    } else if (key == "fortran_order") {
      fortran_order = text.boolean();
    } else if (key == "shape") {
      shape = parse_shape(text);
    } else {
      text.damaged();
    }
    if (!text.accept(',') && !text.next_is('}')) text.damaged();
  }
  if (!dtype || !fortran_order || !shape) text.damaged();
  header.dtype = *dtype;
  header.fortran_order = *fortran_order && shape->size() > 1;
  header.shape = std::move(*shape);
}

/// Bytes of all elements; a shape that cannot be right never gets as far as an allocation.
std::size_t checked_bytes(const NpyHeader& header, std::size_t available_bytes,
                          const std::string& origin) {
  constexpr std::int64_t kMaxElements = std::int64_t{1} << 48;
  std::int64_t count = 1;
  for (const std::int64_t dim : header.shape) {
    // Zero dimensions are left out here, so that (2^62, 2^62, 0) is rejected as well.
    if (dim != 0 && count > kMaxElements / dim) {
      fail(origin, "shape " + shape_text(header.shape) + " is too large");
    }
    count *= std::max<std::int64_t>(dim, 1);
  }
  if (std::find(header.shape.begin(), header.shape.end(), 0) != header.shape.end()) return 0;
  const std::size_t bytes =
      static_cast<std::size_t>(count) * static_cast<std::size_t>(dtype_bits(header.dtype) / 8);
  if (bytes > available_bytes) {
    fail(origin,
         format("truncated: {} {} needs {} bytes after the header, the file has {}",
                dtype_name(header.dtype), shape_text(header.shape), bytes, available_bytes));
  }
  return bytes;
}

std::size_t little_endian(std::span<const std::byte> bytes) {
  std::size_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    value |= std::to_integer<std::size_t>(bytes[i]) << (8 * i);
  }
  return value;
}

/// Elements stored with the first index fastest, copied into row-major order.
Tensor transposed(const NpyHeader& header, const std::byte* source) {
  Tensor tensor(header.dtype, header.shape);
  const auto item_bytes = static_cast<std::size_t>(dtype_bits(header.dtype) / 8);
  std::vector<std::size_t> strides(header.shape.size(), item_bytes);
  for (std::size_t axis = 1; axis < strides.size(); ++axis) {
    strides[axis] = strides[axis - 1] * static_cast<std::size_t>(header.shape[axis - 1]);
  }
  Shape index(header.shape.size(), 0);
  std::byte* out = tensor.mutable_raw();
  std::size_t offset = 0;
  for (std::int64_t i = 0; i < tensor.size(); ++i, out += item_bytes) {
    std::memcpy(out, source + offset, item_bytes);
    for (std::size_t axis = index.size(); axis-- > 0;) {
      offset += strides[axis];
      if (++index[axis] < header.shape[axis]) break;
      offset -= strides[axis] * static_cast<std::size_t>(header.shape[axis]);
      index[axis] = 0;
    }
  }
  return tensor;
}

Tensor copied(const NpyHeader& header, const std::byte* source) {
  if (header.fortran_order) return transposed(header, source);
  Tensor tensor(header.dtype, header.shape);
  if (header.data_bytes != 0) std::memcpy(tensor.mutable_raw(), source, header.data_bytes);
  return tensor;
}

bool is_aligned(const std::byte* data, DType dtype) {
  return reinterpret_cast<std::uintptr_t>(data) % static_cast<unsigned>(dtype_bits(dtype) / 8) == 0;
}

std::string type_descriptor(DType dtype) {
  for (const auto& [name, candidate] : kTypeNames) {
    if (candidate == dtype) return (dtype_bits(dtype) == 8 ? "|" : "<") + std::string(name);
  }
  throw Error(ErrorCode::kUnsupported, ".npy has no element type " + dtype_name(dtype));
}

}  // namespace

NpyHeader parse_npy_header(std::span<const std::byte> file, const std::string& origin) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (!text.starts_with(kMagic)) fail(origin, "not an .npy file");
  if (text.size() < 10) fail(origin, "truncated .npy header");
  const int version = text[6];
  if (version < 1 || version > 3) {
    throw Error(ErrorCode::kUnsupported,
                format("{}: .npy format version {}: expected 1, 2 or 3", origin, version));
  }
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  const std::size_t header_offset = 8 + length_bytes;
  if (file.size() < header_offset) fail(origin, "truncated .npy header");
  const std::size_t header_bytes = little_endian(file.subspan(8, length_bytes));
  if (header_bytes > file.size() - header_offset) fail(origin, "truncated .npy header");
  NpyHeader header;
  parse_dictionary(HeaderText(text.substr(header_offset, header_bytes), origin), origin, header);
  header.data_offset = header_offset + header_bytes;
  header.data_bytes = checked_bytes(header, file.size() - header.data_offset, origin);
  return header;
}

Tensor parse_npy(std::span<const std::byte> file, const std::string& origin) {
  const NpyHeader header = parse_npy_header(file, origin);
  Tensor tensor = copied(header, file.data() + header.data_offset);
  check_bools(tensor, origin);
  return tensor;
}

Tensor read_npy(const std::filesystem::path& path) {
  const auto file = std::make_shared<MappedFile>(path);
  const NpyHeader header = parse_npy_header({file->data(), file->size_bytes()}, path.string());
  const std::byte* data = file->data() + header.data_offset;
  Tensor tensor = header.fortran_order || !is_aligned(data, header.dtype)
                      ? copied(header, data)
                      : Tensor(header.dtype, header.shape, {file, data});
  check_bools(tensor, path.string());
  return tensor;
}

std::string npy_bytes(const Tensor& tensor) {
  std::string dictionary = format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}",
                                  type_descriptor(tensor.dtype()), join(tensor.shape(), ", "),
                                  tensor.rank() == 1 ? "," : "");
  constexpr std::size_t kPrefixBytes = 10;
  const std::size_t used_bytes = kPrefixBytes + dictionary.size() + 1;
  dictionary.append((kHeaderAlignment - used_bytes % kHeaderAlignment) % kHeaderAlignment, ' ');
  dictionary += '\n';
  HEXQUANT_CHECK(dictionary.size() <= 0xFFFF, "shape has too many dimensions for an .npy header");
  std::string out(kMagic);
  out += {'\x01', '\x00', static_cast<char>(dictionary.size() & 0xFF),
          static_cast<char>(dictionary.size() >> 8)};
  out += dictionary;
  if (tensor.bytes() != 0) out.append(reinterpret_cast<const char*>(tensor.raw()), tensor.bytes());
  return out;
}

void write_npy(const std::filesystem::path& path, const Tensor& tensor) {
  write_file(path, npy_bytes(tensor));
}

void check_bools(const Tensor& tensor, const std::string& origin) {
  if (tensor.dtype() != DType::kBool) return;
  for (std::size_t i = 0; i < tensor.bytes(); ++i) {
    const auto value = std::to_integer<int>(tensor.raw()[i]);
    if (value > 1) {
      fail(origin, format("bool element {} is stored as {}: expected 0 or 1", i, value));
    }
  }
}

}  // namespace hexquant::data
