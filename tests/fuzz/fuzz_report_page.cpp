#include <cstddef>
#include <cstdint>
#include <string>

#include "core/json.h"
#include "fuzz_support.h"
#include "report/page.h"
#include "report/report.h"

/// A page is ours or not; the page made of what was read holds the same data.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size_bytes) {
  const std::string html(reinterpret_cast<const char*>(bytes), size_bytes);
  hexquant::fuzz::accepts([&] {
    const auto data = hexquant::report::page_data(html);
    if (!data) return;
    const auto again = hexquant::report::page_data(hexquant::report::report_html(*data));
    if (!again || *again != *data) __builtin_trap();
  });
  return 0;
}
