#include "data/augment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

#include "hexquant/error.h"

namespace hexquant::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<float> values(const Tensor& tensor) {
  const auto data = tensor.data<float>();
  return {data.begin(), data.end()};
}

/// 1 ... 9 as one channel of 3 x 3.
Tensor nine() {
  std::vector<float> numbers(9);
  std::iota(numbers.begin(), numbers.end(), 1.0F);
  return Tensor::from<float>({1, 1, 3, 3}, numbers);
}

std::string refusal(const std::vector<std::string>& names) {
  try {
    static_cast<void>(parse_augmentation(names));
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Augment, NamesAreRead) {
  const Augmentation both = parse_augmentation({"flip", "crop:4"});
  EXPECT_TRUE(both.flip);
  EXPECT_EQ(both.crop, 4);
  EXPECT_FALSE(parse_augmentation({"none"}).any());
  EXPECT_FALSE(parse_augmentation({}).any());
  EXPECT_THAT(refusal({"mixup"}), HasSubstr("'mixup': expected none, flip or crop:N"));
  EXPECT_THAT(refusal({"crop:0"}), HasSubstr("'crop:0'"));
  EXPECT_THAT(refusal({"crop:4x"}), HasSubstr("'crop:4x'"));
}

TEST(Augment, FlipsByTheLowestBit) {
  Tensor image = nine();
  augment_image(image, ImageLayout::kNchw, {.flip = true}, 0);
  EXPECT_EQ(image, nine());
  augment_image(image, ImageLayout::kNchw, {.flip = true}, 1);
  EXPECT_THAT(values(image), ElementsAre(3, 2, 1, 6, 5, 4, 9, 8, 7));
}

TEST(Augment, MovesAndMirrorsTheBorder) {
  // Bits 1 and up decide down, bits 32 and up right: 0 -> -1, 1 -> 0, 2 -> +1 of crop:1.
  Tensor image = nine();
  augment_image(image, ImageLayout::kNchw, {.crop = 1}, (2U << 1U) | (std::uint64_t{1} << 32U));
  EXPECT_THAT(values(image), ElementsAre(4, 5, 6, 7, 8, 9, 4, 5, 6));  // one row up
  image = nine();
  augment_image(image, ImageLayout::kNchw, {.crop = 1}, 1U << 1U);
  EXPECT_THAT(values(image), ElementsAre(2, 1, 2, 5, 4, 5, 8, 7, 8));  // one column to the right
}

TEST(Augment, ChannelsStayTogetherInBothLayouts) {
  std::vector<float> numbers(12);
  std::iota(numbers.begin(), numbers.end(), 0.0F);
  Tensor nhwc = Tensor::from<float>({1, 2, 2, 3}, numbers);
  augment_image(nhwc, ImageLayout::kNhwc, {.flip = true}, 1);
  EXPECT_THAT(values(nhwc), ElementsAre(3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8));
  Tensor nchw = Tensor::from<float>({1, 3, 2, 2}, numbers);
  augment_image(nchw, ImageLayout::kNchw, {.flip = true}, 1);
  EXPECT_THAT(values(nchw), ElementsAre(1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10));
}

TEST(Augment, EveryPlaceIsReached) {
  std::set<std::vector<float>> seen;
  for (std::uint64_t down = 0; down < 3; ++down) {
    for (std::uint64_t right = 0; right < 3; ++right) {
      Tensor image = nine();
      augment_image(image, ImageLayout::kNchw, {.crop = 1}, (down << 1U) | (right << 32U));
      seen.insert(values(image));
    }
  }
  EXPECT_EQ(seen.size(), 9U);
}

TEST(Augment, ACropAsLargeAsTheImageIsRefused) {
  Tensor image = nine();
  EXPECT_THROW(augment_image(image, ImageLayout::kNchw, {.crop = 3}, 0), Error);
}

}  // namespace
}  // namespace hexquant::data
