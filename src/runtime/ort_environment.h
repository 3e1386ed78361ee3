#pragma once

#include <onnxruntime_cxx_api.h>

#include <string>

#include "hexquant/tensor.h"

namespace hexquant::runtime {

/// The process's one ONNX Runtime environment: no telemetry, nothing printed.
[[nodiscard]] Ort::Env& ort_environment();

/// ONNX Runtime's message in one line.
[[nodiscard]] std::string one_line(const char* message);

/// ONNX Runtime numbers element types as ONNX does.
[[nodiscard]] inline ONNXTensorElementDataType to_ort(DType dtype) noexcept {
  return static_cast<ONNXTensorElementDataType>(dtype);
}
[[nodiscard]] inline DType from_ort(ONNXTensorElementDataType type) noexcept {
  return static_cast<DType>(type);
}

/// A view of the tensor's bytes, which must outlive it. ONNX Runtime only reads them.
[[nodiscard]] Ort::Value wrap_tensor(const Tensor& tensor);

/// A tensor that owns the value it came from. @throws Error(kUnsupported) when it is no tensor of
/// numbers. @param name  for the message
[[nodiscard]] Tensor unwrap_tensor(Ort::Value value, const std::string& name);

}  // namespace hexquant::runtime
