#pragma once

#include <onnx/onnx_pb.h>

#include <optional>

#include "graph/graph.h"

namespace hexquant::formats {

/// Tensor type of a value; nullopt when it is absent or no tensor (a sequence, map, optional).
[[nodiscard]] std::optional<graph::ValueType> read_value_type(const onnx::ValueInfoProto& proto);

/// Name and, where known, type.
void write_value_info(const std::string& name, const graph::ValueType* type,
                      onnx::ValueInfoProto& proto);

}  // namespace hexquant::formats
