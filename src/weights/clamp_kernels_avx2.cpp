#include "weights/clamp_kernels.h"
#include "weights/clamp_kernels_body.h"

namespace hexquant::weights {

const ClampKernels& avx2_clamp_kernels() noexcept {
  static constexpr ClampKernels kernels = {"avx2", step_losses, add_scaled};
  return kernels;
}

}  // namespace hexquant::weights
