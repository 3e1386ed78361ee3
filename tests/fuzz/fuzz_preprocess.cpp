#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/preprocess_image.h"
#include "fuzz_support.h"

namespace {

namespace data = hexquant::data;

/// An image of 7x5 pixels.
data::Image small_image() {
  const auto pixels = std::make_shared<const std::vector<std::uint8_t>>(7 * 5 * 3, 200);
  return {7, 5, 3, true, {pixels, pixels->data()}};
}

bool is_small(const data::Preprocess& preprocess) {
  constexpr std::int64_t kMaxSide = 64;
  const auto small = [](const std::optional<data::ImageSize>& size) {
    return !size || ((*size)[0] <= kMaxSide && (*size)[1] <= kMaxSide);
  };
  return small(preprocess.resize) && preprocess.resize_shorter.value_or(1) <= kMaxSide;
}

}  // namespace

/// Preprocessing JSON is accepted or refused; what is accepted survives being written, and can be
/// applied to an image.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size_bytes) {
  const std::string text(reinterpret_cast<const char*>(bytes), size_bytes);
  hexquant::fuzz::accepts([&] {
    const data::Preprocess preprocess = data::parse_preprocess(text, "fuzz");
    if (!(data::parse_preprocess(data::preprocess_json(preprocess), "again") == preprocess)) {
      __builtin_trap();
    }
    if (!is_small(preprocess)) return;
    const data::ImagePreprocessor preprocessor(preprocess, hexquant::DType::kFloat32,
                                               data::ImageLayout::kNchw, "image");
    static_cast<void>(preprocessor.apply(small_image(), "image"));
  });
  return 0;
}
