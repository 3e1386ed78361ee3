#pragma once

#include <onnx/onnx_pb.h>

#include <string>

#include "formats/onnx/external_data.h"
#include "hexquant/tensor.h"

namespace hexquant::formats {

/// True if Tensor has this element type (strings and the 8-bit floats it has not).
[[nodiscard]] bool tensor_holds(int onnx_data_type) noexcept;

/// Tensor from any storage form: raw_data (taken over, not copied: the proto loses it), the typed
/// fields, or external data (mapped). Sizes are checked before anything is allocated.
/// @param what  "initializer 'w'", for messages
/// @pre tensor_holds(proto.data_type())
/// @throws Error(kInvalidModel) when data and shape do not fit, see ExternalData::slice
[[nodiscard]] Tensor read_tensor(onnx::TensorProto& proto, const std::string& what,
                                 ExternalData& external);

/// Replaces external data by raw_data, for tensors that are kept as opaque bytes.
void embed_external_data(onnx::TensorProto& proto, const std::string& what, ExternalData& external);

/// Type, dimensions and raw_data.
void write_tensor(const Tensor& tensor, const std::string& name, onnx::TensorProto& proto);
/// Type and dimensions only.
void write_tensor_header(const Tensor& tensor, const std::string& name, onnx::TensorProto& proto);

}  // namespace hexquant::formats
