#include <cstddef>
#include <cstdint>
#include <string>

#include "core/json.h"
#include "formats/quantsim_config/quantsim_config.h"
#include "fuzz_support.h"

namespace formats = hexquant::formats;

/// A configuration is accepted or refused in one line; what is accepted is written as what reads
/// back the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size_bytes) {
  const std::string text(reinterpret_cast<const char*>(bytes), size_bytes);
  hexquant::fuzz::accepts([&] {
    const hexquant::Json json =
        formats::quantsim_config_json(formats::parse_quantsim_config(text, "fuzz"));
    const std::string written = hexquant::to_text(json);
    const auto again = formats::parse_quantsim_config(written, "again");
    if (hexquant::to_text(formats::quantsim_config_json(again)) != written) __builtin_trap();
  });
  return 0;
}
