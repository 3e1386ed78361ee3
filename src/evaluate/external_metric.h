#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hexquant/progress.h"
#include "hexquant/tensor.h"

// The metric of an external program ("exec:PROGRAM"): models write their outputs to files, the
// program reads them and prints a number. docs/methods/metrics.md describes the protocol.
namespace hexquant::evaluate {

/// A directory of its own under the system's temporary directory, removed with everything in it.
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

/// Bytes of a NumPy .npy file (format 1.0, little-endian, C order).
/// @throws Error(kUnsupported) for element types NumPy does not have (float16 and bool it has)
[[nodiscard]] std::string npy_bytes(const Tensor& tensor);

/// Outputs of one model on disk:
///   manifest.json                 {"model", "samples", "outputs": [{"name", "folder"}, ...]}
///   output_0/000000.npy, ...      first output of sample 0, 1, ...
///   output_1/000000.npy, ...
class OutputFolder {
 public:
  OutputFolder(std::filesystem::path folder, const std::string& model,
               const std::vector<std::string>& output_names, std::int64_t samples);
  /// Thread-safe for different samples. @throws Error(kIo)
  void write(std::int64_t sample, const std::vector<Tensor>& outputs) const;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return folder_; }

 private:
  std::filesystem::path folder_;
};

/// Runs `PROGRAM FOLDER [LABELS]` through /bin/sh and reads the last line it prints as a number.
///
/// The program's standard input is empty; its standard error is kept for messages. When it takes
/// longer than the limit, or the user cancels, the program and its children are killed.
/// @param labels  empty = no second argument
/// @throws Error(kInvalidData) naming the program when it fails, is killed, takes too long or
///         prints no finite number last; Error(kCancelled)
[[nodiscard]] double run_metric_program(const std::string& program,
                                        const std::filesystem::path& folder,
                                        const std::filesystem::path& labels, double time_limit_s,
                                        const ProgressSink& progress);

}  // namespace hexquant::evaluate
