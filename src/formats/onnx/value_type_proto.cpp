#include "formats/onnx/value_type_proto.h"

namespace hexquant::formats {
namespace {

graph::Dim read_dim(const onnx::TensorShapeProto::Dimension& proto) {
  graph::Dim dim;
  if (proto.has_dim_value() && proto.dim_value() >= 0) dim.value = proto.dim_value();
  if (proto.has_dim_param()) dim.symbol = proto.dim_param();
  return dim;
}

void write_dim(const graph::Dim& dim, onnx::TensorShapeProto::Dimension& proto) {
  if (dim.is_fixed()) {
    proto.set_dim_value(dim.value);
  } else if (!dim.symbol.empty()) {
    proto.set_dim_param(dim.symbol);
  }
}

}  // namespace

std::optional<graph::ValueType> read_value_type(const onnx::ValueInfoProto& proto) {
  if (!proto.type().has_tensor_type()) return std::nullopt;
  const auto& tensor = proto.type().tensor_type();
  graph::ValueType type{static_cast<DType>(tensor.elem_type()), std::nullopt};
  if (tensor.has_shape()) {
    type.shape.emplace();
    for (const auto& dim : tensor.shape().dim()) type.shape->push_back(read_dim(dim));
  }
  return type;
}

void write_value_info(const std::string& name, const graph::ValueType* type,
                      onnx::ValueInfoProto& proto) {
  proto.set_name(name);
  if (type == nullptr || type->dtype == DType::kUndefined) return;
  auto* tensor = proto.mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(static_cast<int>(type->dtype));
  if (!type->shape) return;
  auto* shape = tensor->mutable_shape();
  for (const graph::Dim& dim : *type->shape) write_dim(dim, *shape->add_dim());
}

}  // namespace hexquant::formats
