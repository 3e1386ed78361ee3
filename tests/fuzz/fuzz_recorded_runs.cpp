#include <cstddef>
#include <cstdint>
#include <string>

#include "core/json.h"
#include "fuzz_support.h"
#include "profiling/recorded_runs.h"

/// Results of net-run are accepted or refused in one line; what is accepted makes sense.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size_bytes) {
  const std::string text(reinterpret_cast<const char*>(bytes), size_bytes);
  hexquant::fuzz::accepts([&] {
    const auto runs =
        hexquant::profiling::recorded_runs(hexquant::parse_json(text, "fuzz"), "fuzz");
    if (runs.differing > runs.count || runs.memory_growth_bytes < 0) __builtin_trap();
  });
  return 0;
}
