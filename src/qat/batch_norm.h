#pragma once

#include <string>
#include <vector>

namespace hexquant::qat {

/// What becomes of a BatchNormalization that was folded into the layer before it.
enum class NormMode {
  kFolded,  ///< the layer is trained as it is exported
  kFrozen,  ///< gamma and beta are trained beside the weight, with the file's statistics
  kKept     ///< also normalized by each batch while training, with statistics estimated anew
};

/// A folded BatchNormalization: the graph's weight is W gamma / deviation and its bias
/// beta + (bias of W - mean) gamma / deviation, for a W and a mean that follow from them.
struct BatchNorm {
  std::string weight;  ///< initializers of the layer that took it over
  std::string bias;
  int axis = 0;  ///< output channels of the weight
  std::vector<float> gamma;
  std::vector<float> beta;
  std::vector<float> deviation;  ///< sqrt(variance + epsilon)
  double epsilon = 1e-5;
};

}  // namespace hexquant::qat
