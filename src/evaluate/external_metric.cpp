#include "evaluate/external_metric.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "core/file_io.h"
#include "core/format.h"
#include "core/json.h"
#include "data/npy.h"
#include "hexquant/error.h"

namespace hexquant::evaluate {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kKeptOutputBytes = 1 << 16;  // only the last line matters
constexpr int kPollInterval_ms = 50;

/// A child process in a process group of its own, whose standard output and error are read here.
class Child {
 public:
  explicit Child(const std::vector<std::string>& arguments) {
    std::array<int, 2> out{};
    std::array<int, 2> err{};
    if (::pipe2(out.data(), O_CLOEXEC) != 0) throw system_failure("pipe");
    if (::pipe2(err.data(), O_CLOEXEC) != 0) {
      ::close(out[0]);
      ::close(out[1]);
      throw system_failure("pipe");
    }
    std::vector<char*> argv;
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.data()));
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) run(argv, out[1], err[1]);
    ::close(out[1]);
    ::close(err[1]);
    streams_ = {out[0], err[0]};
    // A daemon that the program left behind may hold the other ends for ever.
    for (const int stream : streams_) ::fcntl(stream, F_SETFL, O_NONBLOCK);
    if (pid_ < 0) throw system_failure("fork");
    ::setpgid(pid_, pid_);  // here too: whichever of the two comes first
  }

  ~Child() {
    finish();
    for (const int stream : streams_) {
      if (stream >= 0) ::close(stream);
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Reads what has come and waits at most one interval. @return false once the child has ended
  bool step() {
    std::array<pollfd, 2> wanted{pollfd{streams_[0], POLLIN, 0}, pollfd{streams_[1], POLLIN, 0}};
    ::poll(wanted.data(), wanted.size(), kPollInterval_ms);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (wanted[i].revents != 0) read_some(i);
    }
    siginfo_t info{};
    // The ended child stays a zombie until finish(), so that its group's number is not reused.
    ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    return info.si_pid != pid_;
  }

  /// Kills whatever is left of the group, collects the child's status and its last output.
  void finish() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      while (read_some(i)) continue;
    }
    ::waitpid(pid_, &status_, 0);
    pid_ = -1;
  }

  [[nodiscard]] int status() const noexcept { return status_; }
  [[nodiscard]] const std::string& output() const noexcept { return texts_[0]; }
  [[nodiscard]] const std::string& errors() const noexcept { return texts_[1]; }

 private:
  static Error system_failure(const char* call) {
    return Error(ErrorCode::kIo, format("{}: {}", call, std::strerror(errno)));
  }

  [[noreturn]] static void run(const std::vector<char*>& argv, int out, int err) {
    ::setpgid(0, 0);
    const int empty = ::open("/dev/null", O_RDONLY);
    ::dup2(empty, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }

  /// @return false when there is nothing more to read now
  bool read_some(std::size_t index) {
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

  pid_t pid_ = -1;
  int status_ = 0;
  std::array<int, 2> streams_{-1, -1};
  std::array<std::string, 2> texts_;
};

std::string last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  if (end == std::string::npos) return {};
  const std::size_t start = text.find_last_of('\n', end);
  return text.substr(start == std::string::npos ? 0 : start + 1, end - (start + 1) + 1);
}

double parse_number(const std::string& program, const std::string& line) {
  char* end = nullptr;
  const double value = std::strtod(line.c_str(), &end);
  if (line.empty() || *end != '\0' || !std::isfinite(value)) {
    throw Error(ErrorCode::kInvalidData,
                format("metric program '{}': last line is '{}', expected one finite number",
                       program, line.substr(0, 80)));
  }
  return value;
}

void check_status(const std::string& program, const Child& child) {
  const int status = child.status();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  const std::string ending = WIFSIGNALED(status) ? format("killed by signal {}", WTERMSIG(status))
                                                 : format("exit status {}", WEXITSTATUS(status));
  const std::string complaint = last_line(child.errors());
  throw Error(ErrorCode::kInvalidData,
              format("metric program '{}' failed: {}{}{}", program, ending,
                     complaint.empty() ? "" : ": ", complaint.substr(0, 200)));
}

}  // namespace

ScratchDirectory::ScratchDirectory() {
  std::error_code failure;
  std::string name = (fs::temp_directory_path(failure) / "hexquant-XXXXXX").string();
  if (failure || ::mkdtemp(name.data()) == nullptr) {
    throw Error(ErrorCode::kIo, format("{}: cannot make a temporary directory: {}", name,
                                       failure ? failure.message() : std::strerror(errno)));
  }
  path_ = name;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

OutputFolder::OutputFolder(fs::path folder, const std::string& model,
                           const std::vector<std::string>& output_names, std::int64_t files,
                           std::int64_t batch)
    : folder_(std::move(folder)) {
  Json manifest;
  manifest["model"] = model;
  manifest["files"] = files;
  manifest["batch"] = batch;
  manifest["outputs"] = Json::array();
  for (std::size_t i = 0; i < output_names.size(); ++i) {
    const std::string name = format("output_{}", i);
    manifest["outputs"].push_back({{"name", output_names[i]}, {"folder", name}});
    std::error_code failure;
    fs::create_directories(folder_ / name, failure);
    if (failure) {
      throw Error(ErrorCode::kIo, format("{}: {}", (folder_ / name).string(), failure.message()));
    }
  }
  write_file(folder_ / "manifest.json", to_text(manifest));
}

void OutputFolder::write(std::int64_t item, const std::vector<Tensor>& outputs) const {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    data::write_npy(folder_ / format("output_{}", i) / format("{:06}.npy", item), outputs[i]);
  }
}

double run_metric_program(const std::string& program, const fs::path& folder,
                          const fs::path& labels, double time_limit_s,
                          const ProgressSink& progress) {
  std::vector<std::string> arguments = {"/bin/sh", "-c", program + " \"$@\"", "sh",
                                        folder.string()};
  if (!labels.empty()) arguments.push_back(labels.string());
  Child child(arguments);
  const auto start = Clock::now();
  while (child.step()) {
    if (progress.cancelled()) throw Error(ErrorCode::kCancelled, "cancelled");
    if (std::chrono::duration<double>(Clock::now() - start).count() > time_limit_s) {
      throw Error(ErrorCode::kInvalidData,
                  format("metric program '{}' did not end within {} s", program, time_limit_s));
    }
  }
  child.finish();
  check_status(program, child);
  return parse_number(program, last_line(child.output()));
}

}  // namespace hexquant::evaluate
