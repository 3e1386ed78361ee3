#pragma once

#include <filesystem>
#include <memory>

#include "hexquant/progress.h"
#include "runtime/htp/htp_worker_client.h"
#include "runtime/inference_session.h"

namespace hexquant::runtime {

/// A model on the vendor's HTP simulator, in as many worker processes as are asked for at once: one
/// simulation uses one core.
class HtpSession final : public InferenceSession {
 public:
  /// Opens the first worker; others are opened when a run finds all busy.
  /// @param model    ONNX file with fixed shapes; must outlive the session
  /// @param workers  processes at most
  /// @throws Error(kInvalidModel) with the provider's reason; Error(kMissingComponent)
  HtpSession(const HtpInstallation& installation, const std::filesystem::path& model,
             const HtpOptions& options, const HtpLimits& limits, int workers,
             ProgressSink& progress = silent_progress());
  ~HtpSession() override;

  [[nodiscard]] const std::vector<ValueSpec>& inputs() const noexcept override;
  [[nodiscard]] const std::vector<ValueSpec>& outputs() const noexcept override;
  [[nodiscard]] std::vector<Tensor> run(const Feeds& feeds) const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hexquant::runtime
