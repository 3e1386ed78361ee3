#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace hexquant {

/// How a program is started.
struct ChildOptions {
  std::vector<std::string> arguments;         ///< the program's absolute path first
  std::filesystem::path working_folder = {};  ///< empty: this process's own
  /// File that takes the standard output and error; empty: their last part is kept in memory.
  std::filesystem::path output_file = {};
  /// A socket between this process (channel()) and the child (kChildChannel).
  bool with_channel = false;
};

/// A child process in a process group of its own, with an empty standard input. Whatever is left of
/// the group is killed at the end.
class ChildProcess {
 public:
  /// Descriptor of the channel in the child.
  static constexpr int kChildChannel = 3;

  /// @throws Error(kIo) when the system gives no pipe or process. A program that cannot be run ends
  ///         with status 127.
  explicit ChildProcess(const ChildOptions& options);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// Reads what the child printed and waits at most one interval (50 ms) for more.
  /// @return false once the child has ended
  bool step();
  /// Waits until the channel has something to read (or can be written), or one interval is over.
  /// @return true when the channel is ready
  bool wait_for_channel(bool to_write);
  /// True once the child has ended; it keeps its number until finish().
  [[nodiscard]] bool has_ended() const;
  /// Kills whatever is left of the group; collects the child's status and its last output.
  void finish();

  /// As waitpid gives it. @pre finish()
  [[nodiscard]] int status() const noexcept { return status_; }
  /// What ended it: "exit status 3", "killed by signal 8 (Floating point exception)". @pre finish()
  [[nodiscard]] std::string ending() const;
  /// End of the standard output and error (at least 64 KiB); empty with an output file.
  [[nodiscard]] const std::string& output() const noexcept { return texts_[0]; }
  [[nodiscard]] const std::string& errors() const noexcept { return texts_[1]; }
  /// This process's end; -1 without a channel.
  [[nodiscard]] int channel() const noexcept { return channel_; }
  /// Resident memory now; 0 when unknown.
  [[nodiscard]] std::int64_t resident_bytes() const;

 private:
  bool read_some(std::size_t index);

  pid_t pid_ = -1;
  int status_ = 0;
  int channel_ = -1;
  std::array<int, 2> streams_{-1, -1};
  std::array<std::string, 2> texts_;
};

}  // namespace hexquant
