#pragma once

#include "data/image.h"
#include "data/preprocess.h"

namespace hexquant::data {

/// Part `window` of `image` resized to height x width pixels; same channels and channel order.
///
/// With antialiasing this is Pillow's `Image.resize`, to the bit: nearest takes the pixel under the
/// centre; bilinear (triangle) and bicubic (Keys, a = -0.5) are convolutions whose support grows by
/// the scale when an image shrinks, weights cut off at the border and normalised, in two passes
/// (in the order of Pillow 13) with 22-bit fixed-point weights and 8-bit pixels in between.
/// Without antialiasing: point sampling at half-pixel centres with replicated borders, bicubic
/// with a = -0.75, as OpenCV and torch do; all in float, rounded once.
///
/// @pre height, width >= 1; the window lies inside height x width
/// Source: Pillow, src/libImaging/Resample.c and Geometry.c (the algorithm, not the code).
[[nodiscard]] Image resample(const Image& image, std::int64_t height, std::int64_t width,
                             const Window& window, Interpolation interpolation, bool antialias);

}  // namespace hexquant::data
