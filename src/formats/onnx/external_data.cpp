#include "formats/onnx/external_data.h"

#include <charconv>
#include <cstdint>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::formats {
namespace {

namespace fs = std::filesystem;

struct Location {
  std::string file;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
};

std::uint64_t parse_number(const std::string& text, const std::string& key,
                           const std::string& what) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) {
    throw Error(ErrorCode::kInvalidModel,
                format("{}: external data {} '{}' is not a number", what, key, text));
  }
  return number;
}

Location parse_location(const onnx::TensorProto& tensor, const std::string& what) {
  Location location;
  for (const auto& entry : tensor.external_data()) {
    if (entry.key() == "location") location.file = entry.value();
    if (entry.key() == "offset") location.offset = parse_number(entry.value(), "offset", what);
    if (entry.key() == "length") location.length = parse_number(entry.value(), "length", what);
  }
  if (location.file.empty()) {
    throw Error(ErrorCode::kInvalidModel, what + ": external data without a location");
  }
  return location;
}

/// A model must not make its reader open files elsewhere on the disk.
bool stays_inside(const fs::path& path) {
  if (path.is_absolute()) return false;
  const fs::path normal = path.lexically_normal();
  return !normal.empty() && *normal.begin() != "..";
}

}  // namespace

std::shared_ptr<const MappedFile> ExternalData::open(const std::string& location,
                                                     const std::string& what) {
  if (!folder_) {
    throw Error(ErrorCode::kInvalidModel,
                format("{}: external data '{}', but the model has no folder", what, location));
  }
  if (location.find('\0') != std::string::npos) {
    throw Error(ErrorCode::kInvalidModel, what + ": external data location with a zero byte");
  }
  if (!stays_inside(location)) {
    throw Error(ErrorCode::kInvalidModel,
                format("{}: external data '{}' lies outside the model's folder", what, location));
  }
  auto& file = files_[location];
  if (!file) {
    try {
      file = std::make_shared<const MappedFile>(*folder_ / location);
    } catch (const Error& error) {
      throw Error(error.code(), format("{}: external data: {}", what, error.what()));
    }
  }
  return file;
}

ExternalData ExternalData::made_up() {
  ExternalData external(std::nullopt);
  external.is_made_up_ = true;
  return external;
}

DataSlice ExternalData::made_up_values(std::size_t size_bytes) {
  // Neither 0 nor 1: such constants are folded away.
  constexpr float kValue = 0.5F;
  const std::size_t count = (size_bytes + sizeof(float) - 1) / sizeof(float);
  if (!values_ || values_->size() < count) {
    values_ = std::make_shared<const std::vector<float>>(count, kValue);
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(values_->data());
  return {std::shared_ptr<const std::byte>(values_, bytes), size_bytes};
}

DataSlice ExternalData::slice(const onnx::TensorProto& tensor, const std::string& what,
                              std::optional<std::size_t> expected_bytes) {
  const Location location = parse_location(tensor, what);
  if (is_made_up_) {
    const std::size_t size_bytes = expected_bytes.value_or(location.length.value_or(0));
    if (location.length.value_or(size_bytes) != size_bytes) {
      throw Error(ErrorCode::kInvalidModel,
                  format("{}: {} bytes of data, expected {}", what, *location.length, size_bytes));
    }
    return made_up_values(size_bytes);
  }
  const std::shared_ptr<const MappedFile> file = open(location.file, what);
  const std::size_t file_bytes = file->size_bytes();
  if (location.offset > file_bytes) {
    throw Error(ErrorCode::kInvalidModel,
                format("{}: external data starts at byte {} of '{}', which has {} bytes", what,
                       location.offset, location.file, file_bytes));
  }
  const std::uint64_t available_bytes = file_bytes - location.offset;
  const std::uint64_t size_bytes =
      location.length.value_or(expected_bytes.value_or(available_bytes));
  if (expected_bytes && size_bytes != *expected_bytes) {
    throw Error(ErrorCode::kInvalidModel, format("{}: {} bytes of external data, expected {}", what,
                                                 size_bytes, *expected_bytes));
  }
  if (size_bytes > available_bytes) {
    throw Error(ErrorCode::kInvalidModel,
                format("{}: external data '{}' is too short: {} bytes at offset {}, needs {}", what,
                       location.file, available_bytes, location.offset, size_bytes));
  }
  return {std::shared_ptr<const std::byte>(file, file->data() + location.offset), size_bytes};
}

}  // namespace hexquant::formats
