#include "weights/clamp_kernels.h"
#include "weights/clamp_kernels_body.h"

namespace hexquant::weights {

const ClampKernels& avx512_clamp_kernels() noexcept {
  static constexpr ClampKernels kernels = {"avx512", step_losses, add_scaled};
  return kernels;
}

}  // namespace hexquant::weights
