#include "runtime/htp/htp_worker_client.h"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

#include "core/child_process.h"
#include "core/file_io.h"
#include "core/format.h"
#include "core/helper_program.h"
#include "core/scratch_directory.h"
#include "core/stopwatch.h"
#include "hexquant/error.h"
#include "runtime/htp/worker_protocol.h"

namespace hexquant::runtime {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWorkerProgram = "hexquant_htp_worker";
constexpr const char* kLogFile = "worker.log";

ChildOptions child_options(const fs::path& folder) {
  ChildOptions options;
  options.arguments = {
      find_helper_program(kWorkerProgram, "HEXQUANT_HTP_WORKER", "runs the vendor's simulator")
          .string()};
  options.working_folder = folder;  // the provider writes files where it runs
  options.output_file = folder / kLogFile;
  options.with_channel = true;
  return options;
}

std::string megabytes(std::int64_t bytes) {
  return format("{} MiB", bytes >> 20);
}

}  // namespace

const char* htp_failure_name(HtpFailureKind kind) noexcept {
  switch (kind) {
    case HtpFailureKind::kRejected:
      return "rejected";
    case HtpFailureKind::kTimeLimit:
      return "time-limit";
    case HtpFailureKind::kMemoryLimit:
      return "memory-limit";
    case HtpFailureKind::kCrashed:
      return "crashed";
  }
  return "crashed";
}

struct HtpWorker::Impl {
  Impl(const HtpLimits& given, ProgressSink& sink) : limits(given), progress(sink) {}

  ScratchDirectory scratch;
  HtpLimits limits;
  ProgressSink& progress;
  std::unique_ptr<ChildProcess> child;
  std::optional<HtpFailure> failure;
  std::vector<ValueSpec> inputs;
  std::vector<ValueSpec> outputs;
  double open_seconds = 0.0;
  double provider_seconds = 0.0;
  std::int64_t peak_bytes = 0;

  Message ask(const Message& request);
  void check_limits(const Stopwatch& elapsed);
  void fail(HtpFailureKind kind, std::string reason);
};

/// Records the failure and ends the process: nothing can be expected of it any more.
void HtpWorker::Impl::fail(HtpFailureKind kind, std::string reason) {
  failure = HtpFailure{kind, std::move(reason)};
  child->finish();
}

/// Sets `failure` when a limit is passed. @throws Error(kCancelled)
void HtpWorker::Impl::check_limits(const Stopwatch& elapsed) {
  if (progress.cancelled()) throw Error(ErrorCode::kCancelled, "stopped during the HTP simulation");
  const std::int64_t resident = child->resident_bytes();
  peak_bytes = std::max(peak_bytes, resident);
  if (resident > limits.memory_bytes) {
    fail(HtpFailureKind::kMemoryLimit,
         format("needs more than the {} allowed: ended", megabytes(limits.memory_bytes)));
  } else if (elapsed.total_seconds() > limits.seconds) {
    fail(HtpFailureKind::kTimeLimit, format("took longer than {} s: ended", limits.seconds));
  }
}

/// One request and its answer. After a failure the answer is empty.
Message HtpWorker::Impl::ask(const Message& request) {
  const Stopwatch elapsed;
  const auto wait = [&](bool to_write) {
    if (child->wait_for_channel(to_write)) return;
    check_limits(elapsed);
    if (failure) throw Error(ErrorCode::kIo, failure->reason);
  };
  Message reply;
  try {
    send_message(child->channel(), request, wait);
    reply = receive_message(child->channel(), wait);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIo) throw;
    if (failure) return {};
    child->finish();
    failure =
        HtpFailure{HtpFailureKind::kCrashed, "the simulator's process ended: " + child->ending()};
    return {};
  }
  peak_bytes = std::max(peak_bytes, reply.head.value("peak_bytes", std::int64_t{0}));
  if (!reply.head.value("ok", false)) {
    fail(HtpFailureKind::kRejected, reply.head.value("error", std::string("no reason given")));
    return {};
  }
  return reply;
}

HtpWorker::HtpWorker(const HtpInstallation& installation, const fs::path& model,
                     const HtpOptions& options, const HtpLimits& limits, ProgressSink& progress)
    : impl_(std::make_unique<Impl>(limits, progress)) {
  const Stopwatch elapsed;
  impl_->child = std::make_unique<ChildProcess>(child_options(folder()));
  const ProviderOptions provider = provider_options(installation, options);
  Message request;
  request.head = {{"op", "open"},
                  {"model", fs::absolute(model).string()},
                  {"name", provider.name},
                  {"library", provider.library.string()},
                  {"options", provider.options},
                  {"entries", provider.session_entries},
                  {"log_level", options.log_level}};
  const Message reply = impl_->ask(request);
  impl_->open_seconds = elapsed.total_seconds();
  if (impl_->failure) return;
  impl_->inputs = specs_from_json(reply.head.at("inputs"));
  impl_->outputs = specs_from_json(reply.head.at("outputs"));
}

HtpWorker::~HtpWorker() = default;
HtpWorker::HtpWorker(HtpWorker&&) noexcept = default;
HtpWorker& HtpWorker::operator=(HtpWorker&&) noexcept = default;

const std::optional<HtpFailure>& HtpWorker::failure() const noexcept {
  return impl_->failure;
}

const std::vector<ValueSpec>& HtpWorker::inputs() const noexcept {
  return impl_->inputs;
}

const std::vector<ValueSpec>& HtpWorker::outputs() const noexcept {
  return impl_->outputs;
}

std::vector<Tensor> HtpWorker::run(const Feeds& feeds) {
  HEXQUANT_CHECK(!impl_->failure, "run after a failure");
  Message request;
  request.head = {{"op", "run"}, {"names", Json::array()}};
  for (const auto& [name, tensor] : feeds) {
    request.head["names"].push_back(name);
    request.tensors.push_back(tensor);
  }
  Message reply = impl_->ask(request);
  if (impl_->failure) {
    throw Error(ErrorCode::kInvalidModel, "HTP simulator: " + impl_->failure->reason);
  }
  impl_->provider_seconds += reply.head.value("seconds", 0.0);
  return std::move(reply.tensors);
}

void HtpWorker::close() {
  if (impl_->failure || impl_->child == nullptr) return;
  Message request;
  request.head = {{"op", "close"}};
  impl_->ask(request);
  impl_->child->finish();
}

const fs::path& HtpWorker::folder() const noexcept {
  return impl_->scratch.path();
}

std::string HtpWorker::log() const {
  std::error_code ignored;
  const fs::path file = folder() / kLogFile;
  return fs::exists(file, ignored) ? read_file(file) : std::string{};
}

double HtpWorker::open_seconds() const noexcept {
  return impl_->open_seconds;
}

double HtpWorker::provider_seconds() const noexcept {
  return impl_->provider_seconds;
}

std::int64_t HtpWorker::peak_memory_bytes() const noexcept {
  return impl_->peak_bytes;
}

}  // namespace hexquant::runtime
