#pragma once

#include "graph/graph.h"
#include "perf/workload.h"

namespace hexquant::perf {

/// Kind of an operation by its ONNX type; kOther when it is not known. Layers are told apart
/// further by make_workload (depthwise, constant operands).
[[nodiscard]] WorkKind work_kind(const graph::Node& node);

/// The multiply-accumulates of an operation whose tensors are known:
/// Conv        out * C_in / groups * kernel
/// ConvTranspose  in * C_out / groups * kernel
/// Gemm, MatMul   out * K
/// LSTM, GRU      steps * batch * directions * gates * hidden * (inputs + hidden)
/// 0 for everything else. `inputs` are shapes by ONNX input index, empty where absent.
[[nodiscard]] std::int64_t count_macs(const graph::Node& node, const std::vector<Shape>& inputs,
                                      const Shape& output);

}  // namespace hexquant::perf
