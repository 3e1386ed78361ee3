#pragma once

#include <torch/torch.h>

#include "hexquant/tensor.h"

namespace hexquant::qat {

/// A tensor of LibTorch with its own copy of the values; row-major.
/// @throws Error(kUnsupported) for element types that LibTorch does not have (uint16, int4 ...)
[[nodiscard]] torch::Tensor to_torch(const Tensor& tensor);

/// The values in row-major order, detached from any gradient.
/// @throws Error(kUnsupported) for element types that ONNX does not have
[[nodiscard]] Tensor from_torch(const torch::Tensor& tensor);

/// LibTorch's name for an element type. @throws Error(kUnsupported)
[[nodiscard]] torch::ScalarType torch_type(DType dtype);

}  // namespace hexquant::qat
