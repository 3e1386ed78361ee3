#include <cstddef>
#include <cstdint>
#include <string>

#include "formats/overrides/overrides.h"
#include "fuzz_support.h"

namespace formats = hexquant::formats;

/// Overrides are accepted or refused in one line; what is accepted has a width and a name in every
/// entry, and two operations in every supergroup.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size_bytes) {
  const std::string text(reinterpret_cast<const char*>(bytes), size_bytes);
  hexquant::fuzz::accepts([&] {
    const formats::Overrides overrides = formats::parse_overrides(text, "fuzz");
    for (const formats::EncodingEntry& entry : overrides.entries) {
      if (entry.bits < 1 || entry.bits > 32) __builtin_trap();
    }
    for (const formats::Supergroup& group : overrides.supergroups) {
      if (group.op_list.size() < 2) __builtin_trap();
    }
  });
  return 0;
}
