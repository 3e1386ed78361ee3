#include <cstddef>
#include <cstdint>
#include <string>

#include "core/json.h"
#include "fuzz_support.h"
#include "mixed_precision/sensitivity_table.h"

namespace mp = hexquant::mixed_precision;

/// Sensitivity files are accepted or refused in one line; what is accepted is written and read
/// again without change.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size_bytes) {
  const std::string text(reinterpret_cast<const char*>(bytes), size_bytes);
  hexquant::fuzz::accepts([&] {
    const mp::SensitivityTable table =
        mp::table_from_json(hexquant::parse_json(text, "fuzz"), "fuzz");
    const hexquant::Json json = mp::to_json(table);
    if (mp::to_json(mp::table_from_json(json, "again")) != json) __builtin_trap();
  });
  return 0;
}
