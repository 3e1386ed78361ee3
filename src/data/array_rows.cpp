#include "data/array_rows.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "core/file_io.h"
#include "core/format.h"
#include "data/npy.h"
#include "data/npz.h"
#include "data/zip_archive.h"
#include "hexquant/error.h"

namespace hexquant::data {

RandomAccessFile::RandomAccessFile(const std::filesystem::path& path)
    : name_(path.string()), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (descriptor_ < 0) {
    throw Error(ErrorCode::kIo, format("cannot read '{}': {}", name_, std::strerror(errno)));
  }
}

RandomAccessFile::~RandomAccessFile() {
  ::close(descriptor_);
}

void RandomAccessFile::read(std::size_t offset, std::byte* target, std::size_t size_bytes) const {
  while (size_bytes > 0) {
    const ssize_t done = ::pread(descriptor_, target, size_bytes, static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) {
      throw Error(ErrorCode::kIo,
                  format("cannot read '{}': {}", name_,
                         done < 0 ? std::strerror(errno) : "it became shorter while in use"));
    }
    target += done;
    offset += static_cast<std::size_t>(done);
    size_bytes -= static_cast<std::size_t>(done);
  }
}

ArrayRows::ArrayRows(std::string name, DType dtype, const Shape& shape)
    : name_(std::move(name)), dtype_(dtype) {
  if (shape.empty()) {
    throw Error(ErrorCode::kInvalidData,
                name_ + ": a single number: expected an array whose first axis counts samples");
  }
  rows_ = shape.front();
  row_shape_.assign(shape.begin() + 1, shape.end());
}

ArrayRows ArrayRows::in_memory(std::string name, Tensor tensor) {
  ArrayRows array(std::move(name), tensor.dtype(), tensor.shape());
  array.tensor_ = std::move(tensor);
  return array;
}

ArrayRows ArrayRows::in_file(std::string name, DType dtype, const Shape& shape,
                             std::shared_ptr<const RandomAccessFile> file, std::size_t offset) {
  ArrayRows array(std::move(name), dtype, shape);
  array.file_ = std::move(file);
  array.offset_ = offset;
  return array;
}

ArrayRows ArrayRows::open_npy(const std::filesystem::path& path) {
  const MappedFile mapped(path);
  const std::span<const std::byte> bytes(mapped.data(), mapped.size_bytes());
  const NpyHeader header = parse_npy_header(bytes, path.string());
  if (header.fortran_order) return in_memory(path.string(), parse_npy(bytes, path.string()));
  return in_file(path.string(), header.dtype, header.shape,
                 std::make_shared<const RandomAccessFile>(path), header.data_offset);
}

std::map<std::string, ArrayRows> ArrayRows::open_npz(const std::filesystem::path& path) {
  const MappedFile mapped(path);
  const std::span<const std::byte> bytes(mapped.data(), mapped.size_bytes());
  const auto file = std::make_shared<const RandomAccessFile>(path);
  std::map<std::string, ArrayRows> arrays;
  for (const ZipEntry& entry : read_zip_directory(bytes, path.string())) {
    const std::string name = array_name(entry.name, path.string());
    const std::string full_name = format("{}[{}]", path.string(), name);
    if (entry.deflated) {
      const std::vector<std::byte> content = extract(bytes, entry, path.string());
      arrays.emplace(name, in_memory(full_name, parse_npy(content, full_name)));
      continue;
    }
    const auto content = bytes.subspan(entry.data_offset, entry.size_bytes);
    const NpyHeader header = parse_npy_header(content, full_name);
    check_stored_entry(bytes, entry, path.string());
    arrays.emplace(name, header.fortran_order ? in_memory(full_name, parse_npy(content, full_name))
                                              : in_file(full_name, header.dtype, header.shape, file,
                                                        entry.data_offset + header.data_offset));
  }
  return arrays;
}

Tensor ArrayRows::row(std::int64_t row) const {
  HEXQUANT_CHECK(row >= 0 && row < rows_, format("row {} of {}", row, rows_));
  Tensor out(dtype_, row_shape_);
  const std::size_t row_bytes = out.bytes();
  if (row_bytes == 0) return out;
  const std::size_t offset = static_cast<std::size_t>(row) * row_bytes;
  if (file_ != nullptr) {
    file_->read(offset_ + offset, out.mutable_raw(), row_bytes);
    check_bools(out, name_);
  } else {
    std::memcpy(out.mutable_raw(), tensor_.raw() + offset, row_bytes);
  }
  return out;
}

}  // namespace hexquant::data
