#pragma once

#include <string>

#include "data/dataset.h"
#include "data/image.h"
#include "data/preprocess_image.h"

namespace hexquant::data {

/// Preprocessing bound to the model input that is to take the images.
class ImageBinding {
 public:
  /// @param preprocess  nullptr = none given: allowed for uint8 inputs only, which then get the
  ///                    pixels as they are
  /// @param origin      source of the images, for messages
  /// @throws Error(kInvalidData) when images cannot feed this input
  ImageBinding(const ModelInput& input, const Preprocess* preprocess, const std::string& origin);

  /// [1, C, H, W] or [1, H, W, C]. @throws Error(kInvalidData) naming `origin`, the shape that came
  /// out and the one the model wants
  [[nodiscard]] Tensor apply(const Image& image, const std::string& origin) const;

 private:
  ModelInput input_;
  ImagePreprocessor preprocessor_;
};

}  // namespace hexquant::data
