#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "evaluate/task.h"
#include "hexquant/progress.h"
#include "hexquant/tensor.h"

// The metric of an external program ("exec:PROGRAM") or plug-in ("so:FILE"): models write their
// outputs to files, a process reads them and prints a number. docs/methods/metrics.md describes the
// protocol.
namespace hexquant::evaluate {

/// Outputs of one model on disk:
///   manifest.json             {"model", "files", "batch", "outputs": [{"name", "folder"}, ...]}
///   output_0/000000.npy, ...  first output for item 0, 1, ... of the data set, `batch` samples
///   each output_1/000000.npy, ...
class OutputFolder {
 public:
  OutputFolder(std::filesystem::path folder, const std::string& model,
               const std::vector<std::string>& output_names, std::int64_t files,
               std::int64_t batch);
  /// Thread-safe for different items.
  /// @throws Error(kIo), Error(kUnsupported) for an element type that .npy does not have
  void write(std::int64_t item, const std::vector<Tensor>& outputs) const;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return folder_; }

 private:
  std::filesystem::path folder_;
};

/// What OutputFolder wrote.
struct OutputManifest {
  std::vector<std::string> outputs;  ///< names
  std::int64_t files = 0;            ///< of each output
};
/// @throws Error(kIo), Error(kInvalidData) naming the file and key
[[nodiscard]] OutputManifest read_output_manifest(const std::filesystem::path& folder);
/// File of one output for one item.
[[nodiscard]] std::filesystem::path output_file(const std::filesystem::path& folder,
                                                std::size_t output, std::int64_t item);

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

/// The metric of a plug-in, computed in a process of its own (hexquant_metric_worker) under the
/// same rules as a program's. @throws Error as run_metric_program; Error(kMissingComponent) without
/// the worker
[[nodiscard]] double run_plugin_metric(const std::string& file, const std::filesystem::path& folder,
                                       const std::filesystem::path& labels, double time_limit_s,
                                       const ProgressSink& progress);

/// Loads a plug-in once, in a process of its own, before anything is scored with it.
/// @throws Error(kInvalidArgument) naming the file and what is wrong with it
void check_plugin_metric(const std::string& file, double time_limit_s,
                         const ProgressSink& progress);

/// The metric of the task's program or plug-in. @pre task.metric.is_external()
[[nodiscard]] double run_external_metric(const Task& task, const std::filesystem::path& folder,
                                         const ProgressSink& progress);

}  // namespace hexquant::evaluate
