#include "core/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant {
namespace {

constexpr std::size_t kKeptOutputBytes = 1 << 16;
constexpr int kPollInterval_ms = 50;

[[noreturn]] void fail(const char* call) {
  throw Error(ErrorCode::kIo, format("{}: {}", call, std::strerror(errno)));
}

/// Two connected descriptors, closed on every way out unless taken.
class Pair {
 public:
  Pair() = default;
  ~Pair() {
    for (const int end : ends_) {
      if (end >= 0) ::close(end);
    }
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  void open_pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) fail("pipe");
  }
  void open_socket() {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()) != 0) fail("socketpair");
  }
  /// Both outputs go to one file: it has one place to write to.
  void open_file(const std::filesystem::path& path) {
    ends_[1] = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (ends_[1] < 0) fail(path.c_str());
  }
  [[nodiscard]] int theirs() const noexcept { return ends_[1]; }
  [[nodiscard]] int take_ours() noexcept { return std::exchange(ends_[0], -1); }

 private:
  std::array<int, 2> ends_{-1, -1};
};

/// In the child: only calls that are safe after a fork of a process with threads.
[[noreturn]] void run(const std::vector<char*>& argv, const char* folder, int out, int err,
                      int channel) {
  ::setpgid(0, 0);
  const int empty = ::open("/dev/null", O_RDONLY);
  ::dup2(empty, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  // dup2 onto itself would keep the close-on-exec flag.
  if (channel == ChildProcess::kChildChannel) ::fcntl(channel, F_SETFD, 0);
  if (channel >= 0) ::dup2(channel, ChildProcess::kChildChannel);
  if (folder == nullptr || ::chdir(folder) == 0) ::execv(argv[0], argv.data());
  ::_exit(127);
}

}  // namespace

ChildProcess::ChildProcess(const ChildOptions& options) {
  const bool to_file = !options.output_file.empty();
  Pair out;
  Pair err;
  Pair channel;
  if (to_file) {
    out.open_file(options.output_file);
  } else {
    out.open_pipe();
    err.open_pipe();
  }
  if (options.with_channel) channel.open_socket();
  std::vector<char*> argv;
  for (const std::string& argument : options.arguments) {
    argv.push_back(const_cast<char*>(argument.data()));
  }
  argv.push_back(nullptr);
  const char* folder = options.working_folder.empty() ? nullptr : options.working_folder.c_str();
  pid_ = ::fork();
  if (pid_ == 0) {
    run(argv, folder, out.theirs(), to_file ? out.theirs() : err.theirs(), channel.theirs());
  }
  if (pid_ < 0) fail("fork");
  ::setpgid(pid_, pid_);  // here too: whichever of the two comes first
  streams_ = {out.take_ours(), err.take_ours()};
  channel_ = channel.take_ours();
  // A daemon that the program left behind may hold the other ends for ever.
  for (const int stream : {streams_[0], streams_[1], channel_}) {
    if (stream >= 0) ::fcntl(stream, F_SETFL, O_NONBLOCK);
  }
}

ChildProcess::~ChildProcess() {
  finish();
  for (const int stream : {streams_[0], streams_[1], channel_}) {
    if (stream >= 0) ::close(stream);
  }
}

bool ChildProcess::step() {
  std::array<pollfd, 2> wanted{pollfd{streams_[0], POLLIN, 0}, pollfd{streams_[1], POLLIN, 0}};
  ::poll(wanted.data(), wanted.size(), kPollInterval_ms);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].revents != 0) read_some(i);
  }
  return !has_ended();
}

bool ChildProcess::wait_for_channel(bool to_write) {
  pollfd wanted{channel_, static_cast<short>(to_write ? POLLOUT : POLLIN), 0};
  return ::poll(&wanted, 1, kPollInterval_ms) > 0;
}

bool ChildProcess::has_ended() const {
  siginfo_t info{};
  // The ended child stays a zombie until finish(), so that its group's number is not reused.
  ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
  return info.si_pid == pid_;
}

void ChildProcess::finish() {
  if (pid_ <= 0) return;
  ::kill(-pid_, SIGKILL);
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    while (read_some(i)) continue;
  }
  while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) continue;
  pid_ = -1;
}

std::string ChildProcess::ending() const {
  if (WIFEXITED(status_)) return format("exit status {}", WEXITSTATUS(status_));
  const int signal_number = WTERMSIG(status_);
  return format("killed by signal {} ({})", signal_number, ::strsignal(signal_number));
}

std::int64_t ChildProcess::resident_bytes() const {
  std::ifstream file(format("/proc/{}/statm", pid_));
  std::int64_t pages_mapped = 0;
  std::int64_t pages_resident = 0;
  if (!(file >> pages_mapped >> pages_resident)) return 0;
  return pages_resident * ::sysconf(_SC_PAGESIZE);
}

/// @return false when there is nothing more to read now
bool ChildProcess::read_some(std::size_t index) {
  if (streams_[index] < 0) return false;
  std::array<char, 4096> buffer{};
  const ssize_t got = ::read(streams_[index], buffer.data(), buffer.size());
  if (got < 0) return errno == EINTR;
  if (got == 0) {
    ::close(streams_[index]);
    streams_[index] = -1;
    return false;
  }
  std::string& text = texts_[index];
  text.append(buffer.data(), static_cast<std::size_t>(got));
  if (text.size() > 2 * kKeptOutputBytes) text.erase(0, text.size() - kKeptOutputBytes);
  return true;
}

}  // namespace hexquant
