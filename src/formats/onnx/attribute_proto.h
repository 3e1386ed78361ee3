#pragma once

#include <onnx/onnx_pb.h>

#include <string>

#include "formats/onnx/external_data.h"
#include "graph/graph.h"

namespace hexquant::formats {

/// Attribute of a node. Subgraphs, sparse tensors, types, lists of tensors and tensors of strings
/// or 8-bit floats stay opaque; external data inside them is embedded, so that they can move.
/// @param node  "node 'n' (Conv)", for messages
/// @throws Error(kInvalidModel) on an attribute without a value or a reference outside a function
[[nodiscard]] graph::Attribute read_attribute(onnx::AttributeProto& proto, const std::string& node,
                                              ExternalData& external);

void write_attribute(const std::string& name, const graph::Attribute& attribute,
                     onnx::AttributeProto& proto);

}  // namespace hexquant::formats
