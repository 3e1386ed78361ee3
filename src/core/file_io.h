#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace hexquant {

/// Whole file as bytes. @throws Error(kIo) naming the file and the system's reason.
[[nodiscard]] std::string read_file(const std::filesystem::path& path);

/// Writes to a temporary file beside `path`, flushes it to disk, then renames: readers see the old
/// file or the new one, never half of it. @throws Error(kIo), with the temporary file removed.
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// A read-only mapping of a whole file; pages are shared with the page cache.
class MappedFile {
 public:
  /// @throws Error(kIo)
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] const std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return size_bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_bytes_ = 0;
};

/// A directory that is filled beside its final place and takes it in one step.
///
/// Files are written under `path()`; `commit()` moves each into `target` (an existing directory
/// keeps its other files; files of the same name are replaced). Without commit, the destructor
/// removes everything, so that a failure, or Ctrl-C handled as an exception, leaves nothing.
class StagedDirectory {
 public:
  /// @throws Error(kIo) if `target` exists as a file or its parent cannot be written.
  explicit StagedDirectory(std::filesystem::path target);
  ~StagedDirectory();
  StagedDirectory(const StagedDirectory&) = delete;
  StagedDirectory& operator=(const StagedDirectory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return staging_; }
  /// @throws Error(kIo)
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path staging_;
};

}  // namespace hexquant
