#include "qat/torch_tensor.h"

#include <cstring>
#include <utility>
#include <vector>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::qat {
namespace {

using TypePair = std::pair<DType, torch::ScalarType>;

constexpr TypePair kTypes[] = {
    {DType::kFloat32, torch::kFloat32}, {DType::kFloat64, torch::kFloat64},
    {DType::kFloat16, torch::kFloat16}, {DType::kBFloat16, torch::kBFloat16},
    {DType::kUInt8, torch::kUInt8},     {DType::kInt8, torch::kInt8},
    {DType::kInt16, torch::kInt16},     {DType::kInt32, torch::kInt32},
    {DType::kInt64, torch::kInt64},     {DType::kBool, torch::kBool}};

}  // namespace

torch::ScalarType torch_type(DType dtype) {
  for (const auto& [ours, theirs] : kTypes) {
    if (ours == dtype) return theirs;
  }
  throw Error(ErrorCode::kUnsupported,
              format("LibTorch has no tensors of type {}", dtype_name(dtype)));
}

torch::Tensor to_torch(const Tensor& tensor) {
  torch::Tensor result = torch::empty(tensor.shape(), torch_type(tensor.dtype()));
  if (!tensor.empty()) std::memcpy(result.data_ptr(), tensor.raw(), tensor.bytes());
  return result;
}

Tensor from_torch(const torch::Tensor& tensor) {
  const torch::Tensor rows = tensor.detach().contiguous();
  for (const auto& [ours, theirs] : kTypes) {
    if (theirs != rows.scalar_type()) continue;
    Tensor result(ours, Shape(rows.sizes().begin(), rows.sizes().end()));
    if (!result.empty()) std::memcpy(result.mutable_raw(), rows.data_ptr(), result.bytes());
    return result;
  }
  throw Error(ErrorCode::kUnsupported,
              format("ONNX has no tensors of type {}", torch::toString(rows.scalar_type())));
}

}  // namespace hexquant::qat
