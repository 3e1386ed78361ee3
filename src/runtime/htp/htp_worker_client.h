#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hexquant/progress.h"
#include "runtime/htp/htp_installation.h"
#include "runtime/htp/htp_options.h"
#include "runtime/session.h"

namespace hexquant::runtime {

struct HtpLimits {
  double seconds = 600.0;                             ///< for opening, and for each inference
  std::int64_t memory_bytes = std::int64_t{8} << 30;  ///< resident memory of the worker
};

/// Why the vendor's side gave no result.
enum class HtpFailureKind {
  kRejected,     ///< the provider says no: `reason` is its message
  kTimeLimit,    ///< ended by us
  kMemoryLimit,  ///< ended by us
  kCrashed       ///< died of a signal or left without an answer
};

/// "rejected", "time-limit", "memory-limit", "crashed".
[[nodiscard]] const char* htp_failure_name(HtpFailureKind kind) noexcept;

struct HtpFailure {
  HtpFailureKind kind = HtpFailureKind::kRejected;
  std::string reason;  ///< one line
};

/// A model in a child process that holds the vendor's provider. Whatever happens there (a crash, a
/// hang, garbage on its standard output) comes back as an HtpFailure.
///
/// One process each: for bulk work open one for every core. Not for use by several threads at once.
class HtpWorker final {
 public:
  /// Starts the process and has it open `model`; a failure is a state, see failure().
  /// @param model  ONNX file with fixed shapes
  /// @throws Error(kMissingComponent) when the worker program is not there; Error(kCancelled)
  HtpWorker(const HtpInstallation& installation, const std::filesystem::path& model,
            const HtpOptions& options, const HtpLimits& limits = {},
            ProgressSink& progress = silent_progress());
  ~HtpWorker();
  HtpWorker(HtpWorker&&) noexcept;
  HtpWorker& operator=(HtpWorker&&) noexcept;

  /// Set once the vendor's side has failed, for good.
  [[nodiscard]] const std::optional<HtpFailure>& failure() const noexcept;
  [[nodiscard]] const std::vector<ValueSpec>& inputs() const noexcept;
  [[nodiscard]] const std::vector<ValueSpec>& outputs() const noexcept;

  /// Values of all outputs, in order. @pre !failure()
  /// @throws Error(kInvalidModel) with the reason; failure() is set then. Error(kCancelled)
  [[nodiscard]] std::vector<Tensor> run(const Feeds& feeds);

  /// Ends the session in good order, so that all its files are complete. No run after it.
  void close();

  /// Folder with the files the provider wrote (names beside HtpOptions); gone with the worker.
  [[nodiscard]] const std::filesystem::path& folder() const noexcept;
  /// Everything that the process printed, the provider's log lines included.
  [[nodiscard]] std::string log() const;
  [[nodiscard]] double open_seconds() const noexcept;
  /// Time that the provider itself took in all runs; the rest of a run is the way there and back.
  [[nodiscard]] double provider_seconds() const noexcept;
  [[nodiscard]] std::int64_t peak_memory_bytes() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hexquant::runtime
