#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "core/json.h"

namespace hexquant {

/// 64-bit FNV-1a over everything that is added: tells whether two runs had the same input. Not for
/// keeping anybody out.
class Digest {
 public:
  /// Lengths are hashed too, so that "ab", "c" is not "a", "bc".
  Digest& add(std::string_view bytes) noexcept;
  Digest& add(std::span<const std::byte> bytes) noexcept {
    return add({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return state_; }
  /// 16 hexadecimal digits.
  [[nodiscard]] std::string text() const;

 private:
  void mix(std::string_view bytes) noexcept;
  std::uint64_t state_ = 14695981039346656037ULL;
};

/// Results of long work, kept line by line in a file as they come, so that a run that was
/// interrupted or killed goes on where it stopped.
///
/// The first line is {"journal": 1, "digest": D}, each other one {"key": K, "value": V}. A last
/// line without its end (the process was killed while writing) is dropped. A file of another digest
/// belongs to another model, other data or options: it is begun anew.
class Journal {
 public:
  /// @param path  empty: nothing is kept
  /// @throws Error(kIo); Error(kInvalidData) naming the line when the file is no journal
  Journal(std::filesystem::path path, const std::string& digest);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// nullptr when nothing is known of the key.
  [[nodiscard]] const Json* find(const std::string& key) const;
  /// Entries that an earlier run left.
  [[nodiscard]] std::size_t resumed() const noexcept { return resumed_; }
  /// Hands the line to the system before it returns. Thread-safe. @throws Error(kIo)
  void append(const std::string& key, Json value);

 private:
  void read_entries(const std::string& text, const std::string& digest);
  void write_line(const Json& line);

  std::filesystem::path path_;
  std::map<std::string, Json> entries_;
  std::size_t resumed_ = 0;
  std::size_t valid_bytes_ = 0;  ///< of the file as it was found
  int file_ = -1;
  std::mutex mutex_;
};

}  // namespace hexquant
