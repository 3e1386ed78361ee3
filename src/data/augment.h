#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/preprocess.h"
#include "hexquant/tensor.h"

namespace hexquant::data {

/// Random changes of training images that keep their meaning.
struct Augmentation {
  bool flip = false;      ///< left and right change sides in half of the images
  std::int64_t crop = 0;  ///< images move by -crop ... crop pixels in both directions

  [[nodiscard]] bool any() const noexcept { return flip || crop > 0; }
};

/// @param names  "none", "flip", "crop:N" with N >= 1, in any order
/// @throws Error(kInvalidArgument) naming what is not known
[[nodiscard]] Augmentation parse_augmentation(const std::vector<std::string>& names);

/// Flips and moves an image; what moves in at a border is the image mirrored there (without
/// repeating the border), so that no values appear that calibration did not see.
///
/// Moving by N is the usual "pad by N, crop at random", with a mirrored pad.
/// @param image   float32 [N, C, H, W] or [N, H, W, C]; all N change alike
/// @param random  64 random bits: the same bits make the same change
/// @throws Error(kInvalidArgument) when the image is not larger than the crop
void augment_image(Tensor& image, ImageLayout layout, const Augmentation& augmentation,
                   std::uint64_t random);

}  // namespace hexquant::data
