#pragma once

#include <filesystem>

namespace hexquant {

/// A directory of its own under the system's temporary directory, removed with everything in it.
///
/// Its name holds the number of this process: directories that a killed process of this library
/// left behind are removed when the next one is made.
class ScratchDirectory {
 public:
  /// @throws Error(kIo)
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace hexquant
