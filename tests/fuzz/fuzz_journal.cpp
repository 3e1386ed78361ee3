#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

#include "core/journal.h"
#include "fuzz_support.h"

/// A journal is resumed, begun anew or refused in one line; after that it takes entries and finds
/// them again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size_bytes) {
  static const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("fuzz_journal." + std::to_string(::getpid()));
  std::FILE* out = std::fopen(file.c_str(), "wb");
  if (out == nullptr) return 0;
  std::fwrite(bytes, 1, size_bytes, out);
  std::fclose(out);
  hexquant::fuzz::accepts([&] {
    hexquant::Journal(file, "d").append("added", 1);
    const hexquant::Journal again(file, "d");
    if (again.find("added") == nullptr || *again.find("added") != 1) __builtin_trap();
  });
  std::filesystem::remove(file);
  return 0;
}
