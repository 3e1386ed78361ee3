#include "runtime/htp/worker_program.h"

#include <poll.h>
#include <unistd.h>

#include <exception>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "core/peak_memory.h"
#include "core/stopwatch.h"
#include "hexquant/error.h"
#include "runtime/htp/worker_protocol.h"

namespace hexquant::runtime {
namespace {

void wait_for_ever(int descriptor, bool to_write) {
  pollfd wanted{descriptor, static_cast<short>(to_write ? POLLOUT : POLLIN), 0};
  ::poll(&wanted, 1, -1);
}

/// Ends the process as soon as the other side is gone, whatever the plug-in is doing then.
void end_with(int descriptor) {
  std::thread([descriptor] {
    pollfd hang_up{descriptor, POLLRDHUP, 0};
    while (::poll(&hang_up, 1, -1) <= 0) continue;
    ::_exit(1);
  }).detach();
}

Session open_model(const Json& request) {
  SessionOptions options;
  options.exact_integers = false;  // the option is the CPU kernels'
  options.log_level = request.at("log_level").get<int>();
  ProviderOptions provider;
  provider.name = request.at("name").get<std::string>();
  provider.library = request.at("library").get<std::string>();
  provider.options = request.at("options").get<std::map<std::string, std::string>>();
  provider.session_entries = request.at("entries").get<std::map<std::string, std::string>>();
  options.provider = std::move(provider);
  return {std::filesystem::path(request.at("model").get<std::string>()), options};
}

class Worker {
 public:
  [[nodiscard]] Message answer(const Message& request) {
    const auto op = request.head.at("op").get<std::string>();
    Message reply;
    if (op == "open") {
      session_.emplace(open_model(request.head));
      reply.head["inputs"] = to_json(session_->inputs());
      reply.head["outputs"] = to_json(session_->outputs());
    } else if (op == "run") {
      HEXQUANT_CHECK(session_.has_value(), "run before open");
      Feeds feeds;
      for (std::size_t i = 0; i < request.tensors.size(); ++i) {
        feeds.emplace(request.head.at("names").at(i).get<std::string>(), request.tensors[i]);
      }
      const Stopwatch elapsed;
      reply.tensors = session_->run(feeds);
      reply.head["seconds"] = elapsed.total_seconds();
    } else {
      session_.reset();
      is_open_ = false;
    }
    reply.head["ok"] = true;
    reply.head["peak_bytes"] = peak_memory_bytes();
    return reply;
  }
  [[nodiscard]] bool is_open() const noexcept { return is_open_; }

 private:
  std::optional<Session> session_;
  bool is_open_ = true;
};

}  // namespace

int serve_worker(int descriptor, LogSink log) {
  const WaitReady wait = [descriptor](bool to_write) { wait_for_ever(descriptor, to_write); };
  end_with(descriptor);
  set_log_sink(log);
  Worker worker;
  while (worker.is_open()) {
    const Message request = receive_message(descriptor, wait);
    Message reply;
    try {
      reply = worker.answer(request);
    } catch (const std::exception& error) {
      reply.head = {{"ok", false}, {"error", error.what()}};
      reply.tensors.clear();
    }
    send_message(descriptor, reply, wait);
  }
  return 0;
}

}  // namespace hexquant::runtime
