#include "weights/clamp_kernels.h"

#include "core/cpu_features.h"
#include "weights/clamp_kernels_body.h"

namespace hexquant::weights {

const ClampKernels& scalar_clamp_kernels() noexcept {
  static constexpr ClampKernels kernels = {"scalar", step_losses, add_scaled};
  return kernels;
}

const ClampKernels& best_clamp_kernels() noexcept {
  if (cpu_has_avx512()) return avx512_clamp_kernels();
  return cpu_has_avx2() ? avx2_clamp_kernels() : scalar_clamp_kernels();
}

}  // namespace hexquant::weights
