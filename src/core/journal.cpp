#include "core/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/file_io.h"
#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant {
namespace {

constexpr std::uint64_t kFnvPrime = 1099511628211ULL;

[[noreturn]] void fail(const std::filesystem::path& path) {
  throw Error(ErrorCode::kIo, format("{}: {}", path.string(), std::strerror(errno)));
}

}  // namespace

void Digest::mix(std::string_view bytes) noexcept {
  for (const char c : bytes) {
    state_ ^= static_cast<unsigned char>(c);
    state_ *= kFnvPrime;
  }
}

Digest& Digest::add(std::string_view bytes) noexcept {
  const std::uint64_t length = bytes.size();
  mix({reinterpret_cast<const char*>(&length), sizeof length});
  mix(bytes);
  return *this;
}

std::string Digest::text() const {
  return format("{:016x}", state_);
}

Journal::Journal(std::filesystem::path path, const std::string& digest) : path_(std::move(path)) {
  if (path_.empty()) return;
  if (std::filesystem::exists(path_)) read_entries(read_file(path_), digest);
  resumed_ = entries_.size();
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file_ < 0) fail(path_);
  if (::ftruncate(file_, static_cast<off_t>(valid_bytes_)) != 0) fail(path_);
  if (valid_bytes_ == 0) write_line({{"journal", 1}, {"digest", digest}});
}

Journal::~Journal() {
  if (file_ >= 0) ::close(file_);
}

void Journal::read_entries(const std::string& text, const std::string& digest) {
  std::size_t number = 0;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = text.find('\n', start);
    if (end == std::string::npos) return;
    const std::string origin = format("{}: line {}", path_.string(), ++number);
    const Json line = parse_json(text.substr(start, end - start), origin);
    const auto has = [&](const char* key) { return line.is_object() && line.contains(key); };
    if (number == 1) {
      if (!has("journal") || !has("digest") || !line["digest"].is_string()) {
        throw Error(ErrorCode::kInvalidData,
                    format("{}: expected a journal of this program; remove the file or name "
                           "another",
                           origin));
      }
      if (line["digest"] != digest) return;
    } else {
      if (!has("key") || !has("value") || !line["key"].is_string()) {
        throw Error(ErrorCode::kInvalidData,
                    format("{}: expected \"key\" and \"value\"; remove the file", origin));
      }
      entries_[line["key"].get<std::string>()] = line["value"];
    }
    start = valid_bytes_ = end + 1;
  }
}

const Json* Journal::find(const std::string& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second;
}

void Journal::append(const std::string& key, Json value) {
  const std::lock_guard lock(mutex_);
  if (file_ >= 0) write_line({{"key", key}, {"value", value}});
  entries_[key] = std::move(value);
}

void Journal::write_line(const Json& line) {
  const std::string text = line.dump() + "\n";
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = ::write(file_, text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail(path_);
    written += static_cast<std::size_t>(count);
  }
}

}  // namespace hexquant
