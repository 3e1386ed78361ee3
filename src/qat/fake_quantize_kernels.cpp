#include "qat/fake_quantize_kernels.h"

#include "core/cpu_features.h"
#include "qat/fake_quantize_kernels_body.h"

namespace hexquant::qat {

const FakeQuantizeKernels& scalar_fake_quantize_kernels() noexcept {
  static constexpr FakeQuantizeKernels kernels = {"scalar", forward, backward, forward_each,
                                                  backward_each};
  return kernels;
}

const FakeQuantizeKernels& best_fake_quantize_kernels() noexcept {
  static const FakeQuantizeKernels& kernels =
      cpu_has_avx2() ? avx2_fake_quantize_kernels() : scalar_fake_quantize_kernels();
  return kernels;
}

}  // namespace hexquant::qat
