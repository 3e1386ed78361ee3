#include "formats/onnx/attribute_proto.h"

#include <set>
#include <utility>
#include <vector>

#include "core/format.h"
#include "formats/onnx/tensor_proto.h"
#include "hexquant/error.h"

namespace hexquant::formats {
namespace {

using graph::Attribute;
using graph::OpaqueAttribute;
using onnx::AttributeProto;

/// Files of IR version 1 may leave the type out: it is that of the field that is set.
AttributeProto::AttributeType attribute_type(const AttributeProto& proto) {
  if (proto.type() != AttributeProto::UNDEFINED) return proto.type();
  if (proto.has_f()) return AttributeProto::FLOAT;
  if (proto.has_i()) return AttributeProto::INT;
  if (proto.has_s()) return AttributeProto::STRING;
  if (proto.has_t()) return AttributeProto::TENSOR;
  if (proto.has_g()) return AttributeProto::GRAPH;
  if (proto.floats_size() > 0) return AttributeProto::FLOATS;
  if (proto.ints_size() > 0) return AttributeProto::INTS;
  if (proto.strings_size() > 0) return AttributeProto::STRINGS;
  return AttributeProto::UNDEFINED;
}

/// Reads names that a subgraph takes from outside, and embeds its external data.
class SubgraphReader {
 public:
  SubgraphReader(std::string what, ExternalData& external)
      : what_(std::move(what)), external_(external) {}

  void read(AttributeProto& proto, std::set<std::string>& captured) {
    if (proto.has_t()) embed_external_data(*proto.mutable_t(), what_, external_);
    for (auto& tensor : *proto.mutable_tensors()) embed_external_data(tensor, what_, external_);
    if (proto.has_sparse_tensor()) embed(*proto.mutable_sparse_tensor());
    for (auto& sparse : *proto.mutable_sparse_tensors()) embed(sparse);
    if (proto.has_g()) read(*proto.mutable_g(), captured);
    for (auto& graph : *proto.mutable_graphs()) read(graph, captured);
  }

 private:
  void embed(onnx::SparseTensorProto& sparse) {
    if (sparse.has_values()) embed_external_data(*sparse.mutable_values(), what_, external_);
    if (sparse.has_indices()) embed_external_data(*sparse.mutable_indices(), what_, external_);
  }

  void read(onnx::GraphProto& graph, std::set<std::string>& captured) {
    std::set<std::string> defined;
    std::set<std::string> wanted;
    for (const auto& input : graph.input()) defined.insert(input.name());
    for (auto& tensor : *graph.mutable_initializer()) {
      defined.insert(tensor.name());
      embed_external_data(tensor, what_, external_);
    }
    for (auto& sparse : *graph.mutable_sparse_initializer()) {
      defined.insert(sparse.values().name());
      embed(sparse);
    }
    for (auto& node : *graph.mutable_node()) {
      defined.insert(node.output().begin(), node.output().end());
      wanted.insert(node.input().begin(), node.input().end());
      for (auto& attribute : *node.mutable_attribute()) read(attribute, wanted);
    }
    for (const auto& output : graph.output()) wanted.insert(output.name());
    for (const std::string& name : wanted) {
      if (!name.empty() && !defined.contains(name)) captured.insert(name);
    }
  }

  std::string what_;
  ExternalData& external_;
};

OpaqueAttribute read_opaque(AttributeProto& proto, const std::string& what,
                            ExternalData& external) {
  std::set<std::string> captured;
  SubgraphReader(what, external).read(proto, captured);
  return {proto.SerializeAsString(), {captured.begin(), captured.end()}};
}

}  // namespace

Attribute read_attribute(AttributeProto& proto, const std::string& node, ExternalData& external) {
  const std::string what = format("{}: attribute '{}'", node, proto.name());
  if (!proto.ref_attr_name().empty()) {
    throw Error(ErrorCode::kInvalidModel, what + " refers to a function's attribute");
  }
  switch (attribute_type(proto)) {
    case AttributeProto::INT:
      return std::int64_t{proto.i()};
    case AttributeProto::FLOAT:
      return proto.f();
    case AttributeProto::STRING:
      return std::move(*proto.mutable_s());
    case AttributeProto::TENSOR:
      if (proto.t().data_type() == onnx::TensorProto::UNDEFINED) {
        throw Error(ErrorCode::kInvalidModel, what + " holds a tensor without element type");
      }
      if (!tensor_holds(proto.t().data_type())) return read_opaque(proto, what, external);
      return read_tensor(*proto.mutable_t(), what, external);
    case AttributeProto::INTS:
      return std::vector<std::int64_t>(proto.ints().begin(), proto.ints().end());
    case AttributeProto::FLOATS:
      return std::vector<float>(proto.floats().begin(), proto.floats().end());
    case AttributeProto::STRINGS:
      return std::vector<std::string>(proto.strings().begin(), proto.strings().end());
    case AttributeProto::UNDEFINED:
      throw Error(ErrorCode::kInvalidModel, what + " has no value of a known type");
    default:
      return read_opaque(proto, what, external);
  }
}

namespace {

/// Writes each alternative of graph::Attribute into its field.
struct AttributeWriter {
  AttributeProto& proto;

  void operator()(std::int64_t value) const {
    proto.set_type(AttributeProto::INT);
    proto.set_i(value);
  }
  void operator()(float value) const {
    proto.set_type(AttributeProto::FLOAT);
    proto.set_f(value);
  }
  void operator()(const std::string& value) const {
    proto.set_type(AttributeProto::STRING);
    proto.set_s(value);
  }
  void operator()(const Tensor& value) const {
    proto.set_type(AttributeProto::TENSOR);
    write_tensor(value, "", *proto.mutable_t());
  }
  void operator()(const std::vector<std::int64_t>& values) const {
    proto.set_type(AttributeProto::INTS);
    for (const std::int64_t value : values) proto.add_ints(value);
  }
  void operator()(const std::vector<float>& values) const {
    proto.set_type(AttributeProto::FLOATS);
    for (const float value : values) proto.add_floats(value);
  }
  void operator()(const std::vector<std::string>& values) const {
    proto.set_type(AttributeProto::STRINGS);
    for (const std::string& value : values) proto.add_strings(value);
  }
  void operator()(const OpaqueAttribute& value) const {
    HEXQUANT_CHECK(proto.ParseFromString(value.serialized), "opaque attribute is damaged");
  }
};

}  // namespace

void write_attribute(const std::string& name, const Attribute& attribute, AttributeProto& proto) {
  std::visit(AttributeWriter{proto}, attribute);
  proto.set_name(name);
}

}  // namespace hexquant::formats
