#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "formats/htp_config/htp_config.h"
#include "fuzz_support.h"

/// An options file is accepted or refused; what is accepted survives being written. The input is
/// the file and, after a NUL, the one that it names.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size_bytes) {
  namespace formats = hexquant::formats;
  const std::string text(reinterpret_cast<const char*>(bytes), size_bytes);
  const std::size_t end = std::min(text.find('\0'), text.size());
  const auto inner = [&](const std::string&) {
    return formats::NamedText{"inner", end < text.size() ? text.substr(end + 1) : std::string()};
  };
  hexquant::fuzz::accepts([&] {
    hexquant::Findings findings;
    formats::HtpConfig config =
        formats::parse_htp_config({"fuzz", text.substr(0, end)}, inner, findings);
    const formats::HtpConfigFiles files = formats::write_htp_config(config, "net", "inner.json");
    const auto written = [&](const std::string&) {
      return formats::NamedText{"written", files.inner};
    };
    const formats::HtpConfig again =
        formats::parse_htp_config({"again", files.outer}, written, findings);
    // No backend option says them.
    config.planner = {};
    config.graph_names = {"net"};
    if (!(again == config)) __builtin_trap();
  });
  return 0;
}
