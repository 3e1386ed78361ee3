#include "pipeline/quantized_structure.h"

#include <string>
#include <utility>

#include "hexquant/error.h"
#include "quant/insert_qdq.h"

namespace hexquant::pipeline {
namespace {

/// 65535 steps of it end below every upper limit of a Clip in use.
constexpr float kStep = 1e-6F;

std::size_t scale_count(const Encoding& encoding, const Shape& shape) {
  if (encoding.granularity == Granularity::kTensor) return 1;
  const auto axis = static_cast<std::size_t>(encoding.axis);
  HEXQUANT_CHECK(axis < shape.size(), "the axis of an encoding is outside of its tensor");
  if (encoding.granularity == Granularity::kChannel) return static_cast<std::size_t>(shape[axis]);
  const std::int64_t blocks = (shape[axis] + encoding.block_size - 1) / encoding.block_size;
  return static_cast<std::size_t>(element_count(shape) / shape[axis] * blocks);
}

Encoding placeholder(const quant::TensorPolicy& policy, const Shape& shape) {
  Encoding encoding = quant::empty_encoding(policy);
  const std::size_t count = scale_count(encoding, shape);
  encoding.scale.assign(count, kStep);
  const bool centred = encoding.symmetric && encoding.q_min() == 0;
  encoding.zero_point.assign(count, centred ? 1 << (encoding.bits() - 1) : 0);
  return encoding;
}

/// int32, with a scale for each channel where the weights have one.
Encoding bias_placeholder(const quant::TensorPolicy& weight, const Shape& shape) {
  quant::TensorPolicy policy;
  policy.role = quant::Role::kBias;
  policy.type = DType::kInt32;
  policy.symmetric = true;
  policy.granularity =
      weight.granularity == Granularity::kChannel ? Granularity::kChannel : Granularity::kTensor;
  return placeholder(policy, shape);
}

}  // namespace

graph::Graph quantized_structure(graph::Graph graph, const quant::QuantPlan& plan) {
  quant::EncodingTable encodings;
  for (const auto& [name, policy] : plan.tensors) {
    const Tensor* constant = graph.find_initializer(name);
    // Given numbers are form: a uint8 graph input is read through just these.
    encodings.tensors[name] =
        policy.fixed_encoding
            ? *policy.fixed_encoding
            : placeholder(policy, constant == nullptr ? Shape{} : constant->shape());
  }
  for (const auto& [bias, source] : plan.biases) {
    const Tensor* values = graph.find_initializer(bias);
    HEXQUANT_CHECK(values != nullptr, "bias '" + bias + "' is no constant");
    encodings.tensors[bias] = bias_placeholder(plan.tensors.at(source.weight), values->shape());
  }
  for (const auto& [edge, policy] : plan.edges) encodings.edges[edge] = placeholder(policy, {});
  return quant::insert_qdq(std::move(graph), encodings, quant::CodeValues::kZero);
}

}  // namespace hexquant::pipeline
