#include "core/scratch_directory.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "hexquant-";

/// Process that made a directory called "hexquant-PID-XXXXXX"; 0 for any other name.
pid_t maker_of(std::string_view name) {
  if (!name.starts_with(kPrefix)) return 0;
  name.remove_prefix(kPrefix.size());
  pid_t maker = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), maker);
  const bool whole =
      parsed.ec == std::errc{} && parsed.ptr != name.data() + name.size() && *parsed.ptr == '-';
  return whole ? maker : 0;
}

bool has_ended(pid_t process) {
  return ::kill(process, 0) != 0 && errno == ESRCH;
}

void remove_left_behind(const fs::path& folder) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const pid_t maker = maker_of(entry.path().filename().string());
    if (maker > 0 && has_ended(maker)) fs::remove_all(entry.path(), ignored);
  }
}

}  // namespace

ScratchDirectory::ScratchDirectory() {
  std::error_code failure;
  const fs::path folder = fs::temp_directory_path(failure);
  if (!failure) remove_left_behind(folder);
  std::string name = (folder / format("{}{}-XXXXXX", kPrefix, ::getpid())).string();
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

}  // namespace hexquant
