#include <cstddef>
#include <cstdint>

#include "data/image.h"
#include "fuzz_support.h"

/// The check that stands in front of the image decoder.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  hexquant::fuzz::accepts([&] { hexquant::data::check_image_file({data, size_bytes}, "fuzz"); });
  return 0;
}
