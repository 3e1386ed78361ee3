#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "data/npy.h"
#include "fuzz_support.h"

/// The reader accepts an array or throws Error; what it accepts is written and read back unchanged.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  namespace data_ns = hexquant::data;
  hexquant::fuzz::accepts([&] {
    const auto tensor =
        data_ns::parse_npy({reinterpret_cast<const std::byte*>(data), size_bytes}, "fuzz");
    if (tensor.rank() > 1000) return;  // beyond what a version 1 header holds
    const std::string written = data_ns::npy_bytes(tensor);
    const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(written.data()),
                                           written.size());
    if (!(data_ns::parse_npy(bytes, "again") == tensor)) __builtin_trap();
  });
  return 0;
}
