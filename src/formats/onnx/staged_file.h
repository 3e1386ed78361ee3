#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>

namespace hexquant::formats {

/// Writes a file piece by piece under a temporary name; `commit` gives it its own. Without commit
/// nothing stays behind.
class StagedFile {
 public:
  /// @throws Error(kIo)
  explicit StagedFile(std::filesystem::path path);
  ~StagedFile();
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;

  /// Appends at the next multiple of 64. @return that offset. @throws Error(kIo)
  std::uint64_t append(std::span<const std::byte> bytes);
  /// Writes what is buffered, so that `commit` only renames. @throws Error(kIo)
  void close();
  /// @throws Error(kIo)
  void commit();

 private:
  [[noreturn]] void fail(int error_number) const;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::ofstream file_;
  std::uint64_t size_bytes_ = 0;
  bool committed_ = false;
};

}  // namespace hexquant::formats
