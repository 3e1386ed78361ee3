#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "hexquant/tensor.h"

namespace hexquant::data {

/// A file whose bytes are read at given places. Unlike a mapping, what was read does not stay in
/// this process's memory, and a file cut short while open gives an error instead of a crash.
class RandomAccessFile {
 public:
  /// @throws Error(kIo)
  explicit RandomAccessFile(const std::filesystem::path& path);
  ~RandomAccessFile();
  RandomAccessFile(const RandomAccessFile&) = delete;
  RandomAccessFile& operator=(const RandomAccessFile&) = delete;

  /// Fills `target`; thread-safe. @throws Error(kIo) on a failure or the end of the file
  void read(std::size_t offset, std::byte* target, std::size_t size_bytes) const;

 private:
  std::string name_;
  int descriptor_ = -1;
};

/// An array whose rows (slices along the first axis) are read one at a time.
///
/// Rows of .npy files and of uncompressed .npz entries stay on disk; a compressed entry or one in
/// Fortran order is held in memory.
class ArrayRows {
 public:
  /// @throws Error(kInvalidData / kUnsupported / kIo), also for an array without a first axis
  [[nodiscard]] static ArrayRows open_npy(const std::filesystem::path& path);
  /// All arrays of an archive by name. @throws as open_npy
  [[nodiscard]] static std::map<std::string, ArrayRows> open_npz(const std::filesystem::path& path);

  [[nodiscard]] std::int64_t rows() const noexcept { return rows_; }
  [[nodiscard]] DType dtype() const noexcept { return dtype_; }
  /// Shape of one row: the array's shape without its first axis.
  [[nodiscard]] const Shape& row_shape() const noexcept { return row_shape_; }
  /// File and array, for messages.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// A copy of row `row`; thread-safe. @throws Error(kIo / kInvalidData)
  [[nodiscard]] Tensor row(std::int64_t row) const;

 private:
  ArrayRows(std::string name, DType dtype, const Shape& shape);
  static ArrayRows in_memory(std::string name, Tensor tensor);
  static ArrayRows in_file(std::string name, DType dtype, const Shape& shape,
                           std::shared_ptr<const RandomAccessFile> file, std::size_t offset);

  std::string name_;
  DType dtype_;
  std::int64_t rows_ = 0;
  Shape row_shape_;
  Tensor tensor_;  // when the array is in memory
  std::shared_ptr<const RandomAccessFile> file_;
  std::size_t offset_ = 0;
};

}  // namespace hexquant::data
