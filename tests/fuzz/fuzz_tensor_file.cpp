#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/tensor_file.h"
#include "fuzz_support.h"

/// The reader accepts a file of named tensors or throws Error.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  hexquant::fuzz::accepts([&] {
    static_cast<void>(hexquant::parse_tensor_file({reinterpret_cast<const char*>(data), size_bytes},
                                                  "fuzz", "qat-checkpoint", 1));
  });
  return 0;
}
