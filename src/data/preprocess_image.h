#pragma once

#include <array>
#include <string>
#include <vector>

#include "data/image.h"
#include "data/preprocess.h"
#include "hexquant/tensor.h"

namespace hexquant::data {

/// Applies one Preprocess to many images. Thread-safe once built.
class ImagePreprocessor {
 public:
  /// @param dtype   element type of the result: float32, float16, float64, or uint8 (then mean and
  ///                std must leave the pixel values as they are)
  /// @param layout  used where the Preprocess names none
  /// @throws Error(kInvalidData) on another type, naming `input`
  ImagePreprocessor(Preprocess preprocess, DType dtype, ImageLayout layout,
                    const std::string& input);

  /// Pixels as a tensor [1, C, H, W] or [1, H, W, C].
  /// @throws Error(kInvalidData) naming `origin` when the crop does not fit the resized image
  [[nodiscard]] Tensor apply(const Image& image, const std::string& origin) const;

  [[nodiscard]] ImageLayout layout() const noexcept { return layout_; }

 private:
  [[nodiscard]] Image shaped(const Image& image, const std::string& origin) const;

  Preprocess preprocess_;
  DType dtype_;
  ImageLayout layout_;
  /// Normalised value of every pixel value, by channel.
  std::vector<std::array<float, 256>> values_;
};

/// Size after resizing, before cropping. @throws Error(kInvalidData) naming `origin` above
/// kMaxImageSide
[[nodiscard]] ImageSize resized_size(const Preprocess& preprocess, const Image& image,
                                     const std::string& origin);

}  // namespace hexquant::data
