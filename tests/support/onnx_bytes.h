#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace hexquant::test {

/// Protobuf bytes written field by field, so that tests can also write what no library would.
class ProtoBytes {
 public:
  ProtoBytes& number(unsigned field, std::uint64_t value) {
    varint(field << 3U);
    varint(value);
    return *this;
  }
  ProtoBytes& bytes(unsigned field, std::string_view value) {
    varint(field << 3U | 2U);
    varint(value.size());
    text_ += value;
    return *this;
  }
  ProtoBytes& message(unsigned field, const ProtoBytes& value) { return bytes(field, value.text_); }
  ProtoBytes& float32(unsigned field, float value) {
    varint(field << 3U | 5U);
    text_ += pod(std::vector<float>{value});
    return *this;
  }
  /// Repeated integers, packed.
  ProtoBytes& packed(unsigned field, const std::vector<std::int64_t>& values) {
    ProtoBytes inner;
    for (const std::int64_t value : values) inner.varint(static_cast<std::uint64_t>(value));
    return bytes(field, inner.text_);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

  /// Little-endian bytes of plain numbers.
  template <typename T>
  static std::string pod(const std::vector<T>& values) {
    std::string out(values.size() * sizeof(T), '\0');
    if (!values.empty()) std::memcpy(out.data(), values.data(), out.size());
    return out;
  }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 128; value >>= 7U) text_ += static_cast<char>(value | 128U);
    text_ += static_cast<char>(value);
  }
  std::string text_;
};

/// Field numbers of onnx.proto that the helpers below use.
namespace onnx_field {
enum Model : unsigned { kIrVersion = 1, kProducer = 2, kGraph = 7, kOpset = 8, kMetadata = 14 };
enum Graph : unsigned {
  kNode = 1,
  kGraphName = 2,
  kInitializer = 5,
  kInput = 11,
  kOutput = 12,
  kValueInfo = 13,
  kSparse = 15
};
enum Attribute : unsigned { kFloat = 2, kInt = 3, kString = 4, kTensor = 5, kSubgraph = 6 };
enum Tensor : unsigned {
  kDims = 1,
  kDataType = 2,
  kFloatData = 4,
  kInt32Data = 5,
  kStringData = 6,
  kInt64Data = 7,
  kTensorName = 8,
  kRawData = 9,
  kDoubleData = 10,
  kUint64Data = 11,
  kExternalData = 13,
  kDataLocation = 14
};
}  // namespace onnx_field

/// Type and dimensions of a TensorProto; the caller adds the data.
inline ProtoBytes tensor_bytes(const std::string& name, int data_type,
                               const std::vector<std::int64_t>& dims) {
  ProtoBytes tensor;
  for (const std::int64_t dim : dims) {
    tensor.number(onnx_field::kDims, static_cast<std::uint64_t>(dim));
  }
  tensor.number(onnx_field::kDataType, static_cast<std::uint64_t>(data_type));
  return tensor.bytes(onnx_field::kTensorName, name);
}

/// ValueInfoProto of a tensor.
inline ProtoBytes value_bytes(const std::string& name, int elem_type,
                              const std::vector<std::int64_t>& dims) {
  ProtoBytes shape;
  for (const std::int64_t dim : dims) {
    shape.message(1, ProtoBytes().number(1, static_cast<std::uint64_t>(dim)));
  }
  const ProtoBytes tensor =
      ProtoBytes().number(1, static_cast<std::uint64_t>(elem_type)).message(2, shape);
  return ProtoBytes().bytes(1, name).message(2, ProtoBytes().message(1, tensor));
}

/// NodeProto without attributes.
inline ProtoBytes node_bytes(const std::string& op_type, const std::vector<std::string>& inputs,
                             const std::vector<std::string>& outputs,
                             const std::string& name = {}) {
  ProtoBytes node;
  for (const std::string& input : inputs) node.bytes(1, input);
  for (const std::string& output : outputs) node.bytes(2, output);
  if (!name.empty()) node.bytes(3, name);
  return node.bytes(4, op_type);
}

/// ModelProto of IR version 8 around a GraphProto.
inline std::string model_bytes(const ProtoBytes& graph, std::uint64_t opset = 13) {
  return ProtoBytes()
      .number(onnx_field::kIrVersion, 8)
      .message(onnx_field::kGraph, graph)
      .message(onnx_field::kOpset, ProtoBytes().bytes(1, "").number(2, opset))
      .text();
}

/// x float32[2] -> Identity -> y, the smallest valid graph; nodes and tensors can be added.
inline ProtoBytes identity_graph() {
  return ProtoBytes()
      .message(onnx_field::kNode, node_bytes("Identity", {"x"}, {"y"}, "copy"))
      .bytes(onnx_field::kGraphName, "tiny")
      .message(onnx_field::kInput, value_bytes("x", 1, {2}))
      .message(onnx_field::kOutput, value_bytes("y", 1, {2}));
}

}  // namespace hexquant::test
