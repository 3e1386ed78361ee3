#include "runtime/htp/htp_session.h"

#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::runtime {

struct HtpSession::Impl {
  HtpInstallation installation;
  std::filesystem::path model;
  HtpOptions options;
  HtpLimits limits;
  ProgressSink& progress;
  std::vector<ValueSpec> inputs;
  std::vector<ValueSpec> outputs;

  std::mutex mutex;
  std::condition_variable returned;
  std::vector<std::unique_ptr<HtpWorker>> idle;
  int may_open = 0;  ///< workers that are neither idle nor running yet

  std::unique_ptr<HtpWorker> open();
  std::unique_ptr<HtpWorker> take();
  void give_back(std::unique_ptr<HtpWorker> worker);
};

std::unique_ptr<HtpWorker> HtpSession::Impl::open() {
  auto worker = std::make_unique<HtpWorker>(installation, model, options, limits, progress);
  if (worker->failure()) {
    throw Error(ErrorCode::kInvalidModel, format("HTP simulator: {}", worker->failure()->reason));
  }
  return worker;
}

std::unique_ptr<HtpWorker> HtpSession::Impl::take() {
  {
    std::unique_lock lock(mutex);
    returned.wait(lock, [&] { return !idle.empty() || may_open > 0; });
    if (!idle.empty()) {
      std::unique_ptr<HtpWorker> worker = std::move(idle.back());
      idle.pop_back();
      return worker;
    }
    --may_open;
  }
  return open();
}

/// A worker that failed is replaced by the next run that needs one.
void HtpSession::Impl::give_back(std::unique_ptr<HtpWorker> worker) {
  const std::lock_guard lock(mutex);
  if (worker == nullptr || worker->failure()) {
    ++may_open;
  } else {
    idle.push_back(std::move(worker));
  }
  returned.notify_one();
}

HtpSession::HtpSession(const HtpInstallation& installation, const std::filesystem::path& model,
                       const HtpOptions& options, const HtpLimits& limits, int workers,
                       ProgressSink& progress)
    : impl_(new Impl{.installation = installation,
                     .model = model,
                     .options = options,
                     .limits = limits,
                     .progress = progress,
                     .inputs = {},
                     .outputs = {},
                     .mutex = {},
                     .returned = {},
                     .idle = {},
                     .may_open = workers - 1}) {
  impl_->idle.push_back(impl_->open());
  impl_->inputs = impl_->idle.front()->inputs();
  impl_->outputs = impl_->idle.front()->outputs();
}

HtpSession::~HtpSession() = default;

const std::vector<ValueSpec>& HtpSession::inputs() const noexcept {
  return impl_->inputs;
}

const std::vector<ValueSpec>& HtpSession::outputs() const noexcept {
  return impl_->outputs;
}

std::vector<Tensor> HtpSession::run(const Feeds& feeds) const {
  std::unique_ptr<HtpWorker> worker;
  try {
    worker = impl_->take();
    std::vector<Tensor> outputs = worker->run(feeds);
    impl_->give_back(std::move(worker));
    return outputs;
  } catch (...) {
    impl_->give_back(std::move(worker));
    throw;
  }
}

}  // namespace hexquant::runtime
