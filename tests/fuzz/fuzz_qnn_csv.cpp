#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fuzz_support.h"
#include "profiling/csv_estimate.h"
#include "profiling/qnn_csv.h"

/// Any text is a profile or is refused; what is read can be searched for estimates and operations.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  namespace profiling = hexquant::profiling;
  hexquant::fuzz::accepts([&] {
    const profiling::QnnCsv csv =
        profiling::parse_qnn_csv({reinterpret_cast<const char*>(data), size_bytes}, "fuzz");
    if (profiling::csv_estimates(csv).size() > csv.rows.size()) __builtin_trap();
    if (profiling::op_rows(csv).size() > csv.rows.size()) __builtin_trap();
  });
  return 0;
}
