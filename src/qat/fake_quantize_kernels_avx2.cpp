#include "qat/fake_quantize_kernels.h"
#include "qat/fake_quantize_kernels_body.h"

namespace hexquant::qat {

const FakeQuantizeKernels& avx2_fake_quantize_kernels() noexcept {
  static constexpr FakeQuantizeKernels kernels = {"avx2", forward, backward, forward_each,
                                                  backward_each};
  return kernels;
}

}  // namespace hexquant::qat
