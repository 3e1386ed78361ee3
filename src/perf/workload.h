#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/finding.h"
#include "target/placement.h"

namespace hexquant::perf {

/// What the hardware does for an operation: decides which unit computes it and at what rate.
enum class WorkKind {
  kConvolution,            ///< dense or grouped, constant weights
  kDepthwise,              ///< one input channel for each group
  kTransposedConvolution,  ///< constant weights
  kFullyConnected,         ///< Gemm, MatMul with constant weights
  kMatMul,                 ///< two computed operands
  kRecurrent,              ///< LSTM, GRU
  kPool,                   ///< windows: MaxPool, AveragePool
  kReduce,                 ///< whole axes: GlobalAveragePool, ReduceMean
  kElementwise,            ///< Add, Mul, Sub, Min ...
  kActivation,             ///< Sigmoid, Tanh, Gelu, HardSwish ...: a function of each element
  kDivision,               ///< Div, Pow, Sqrt ...: slow element-wise arithmetic
  kSoftmax,
  kNormalization,  ///< LayerNorm, RMSNorm, InstanceNorm
  kResize,
  kMover,       ///< Transpose, Concat, Slice, Pad, Gather, DepthToSpace
  kConversion,  ///< between types: Quantize, Dequantize, 8 <-> 16 bit
  kReshape,     ///< Reshape, Flatten, Squeeze: free unless the layout in memory changes
  kFree,        ///< nothing is moved or computed: Identity, Shape, arithmetic on shapes
  kOther        ///< not known to the model: a finding names it
};

/// "convolution", "depthwise", ...
[[nodiscard]] const char* work_kind_name(WorkKind kind) noexcept;

/// A value or a constant that an operation reads or writes.
struct WorkTensor {
  std::string name;
  Shape shape;               ///< batch first, as in the ONNX graph
  int bits = 8;              ///< stored width of an element
  bool is_float = false;     ///< float16 or float32 arithmetic
  bool is_constant = false;  ///< weights, tables
  bool is_graph_input = false;
  bool is_graph_output = false;
  /// A graph input or output that is stored with the channels last, as the NPU wants it: the
  /// Transpose beside it costs nothing. `shape` has the channels second all the same.
  bool channels_last = false;
  int producer = -1;         ///< index into Workload::operations; -1 = none
  std::vector<int> readers;  ///< indices into Workload::operations

  [[nodiscard]] std::int64_t elements() const;
  /// Plain size, unpadded: ceil(elements * bits / 8).
  [[nodiscard]] std::int64_t bytes() const;
};

/// One operation as the NPU runs it: an ONNX node with what is fused into it.
struct Operation {
  std::string name;                ///< the ONNX node that computes
  std::string op;                  ///< its ONNX type
  std::vector<std::string> nodes;  ///< every ONNX node it stands for, Q/DQ excluded
  WorkKind kind = WorkKind::kOther;
  target::Unit unit = target::Unit::kNpuInteger;
  std::vector<int> inputs;   ///< tensors, activations first-listed as in the node; constants too
  std::vector<int> outputs;  ///< tensors
  int act_bits = 8;          ///< widest activation it reads or writes
  int weight_bits = 0;       ///< 0 = no weights
  std::int64_t macs = 0;     ///< multiply-accumulates
  std::int64_t weight_bytes = 0;  ///< of all constants, plain
  std::int64_t groups = 1;
  Shape kernel;                   ///< spatial, of windows; empty otherwise
  Shape strides;                  ///< spatial
  Shape dilations;                ///< spatial
  bool fused_activation = false;  ///< an activation that is not free behind it (HardSwish, PRelu)
};

/// A model as work for the NPU.
struct Workload {
  std::vector<WorkTensor> tensors;
  std::vector<Operation> operations;  ///< in an order in which they can run
  std::vector<int> inputs;            ///< graph inputs, tensors
  std::vector<int> outputs;           ///< graph outputs, tensors
  /// Unknown shapes (the operation is left out), operations of unknown cost.
  Findings findings;
};

/// Reads a QDQ model (or a float one) as work.
///
/// Between values of one stored form Q/DQ nodes vanish; those at the borders of the model and of
/// float parts, and between widths, are operations of their own (kConversion). What the target
/// joins with an operation (Relu, Clip, the Add of a bias) belongs to it.
/// @param graph      nodes in topological order; shapes known (passes::infer_shapes): a Q/DQ value
///                   without one has the shape of what it was made from. Operations with unknown or
///                   free shapes are left out, each with a finding "shapes-unknown"
/// @param placement  of target::predict_placement for `graph`
[[nodiscard]] Workload make_workload(const graph::Graph& graph,
                                     const target::PlacementReport& placement);

}  // namespace hexquant::perf
