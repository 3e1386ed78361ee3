#include <cstddef>
#include <cstdint>

#include "data/npz.h"
#include "fuzz_support.h"

/// The reader accepts an archive of arrays or throws Error.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  hexquant::fuzz::accepts([&] {
    static_cast<void>(
        hexquant::data::parse_npz({reinterpret_cast<const std::byte*>(data), size_bytes}, "fuzz"));
  });
  return 0;
}
