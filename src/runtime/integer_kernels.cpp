#include "runtime/integer_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/encoding.h"
#include "runtime/session.h"

namespace hexquant::runtime {
namespace {

constexpr std::int64_t kTerms = 64;  // products in a sum: several vector registers full
constexpr std::int64_t kOutputs = 16;
constexpr float kLargestWeight = 127.0F;
constexpr float kLargestSigned = 127.0F;
constexpr float kLargestUnsigned = 255.0F;

void add_pair(graph::Graph& graph, const std::string& input, float scale, const Tensor& zero_point,
              const std::string& output) {
  graph.add_initializer(output + "_scale", Tensor::scalar<float>(scale));
  graph.add_initializer(output + "_zero", zero_point);
  const std::vector<std::string> parameters = {output + "_scale", output + "_zero"};
  graph.add_node({.op_type = "QuantizeLinear",
                  .inputs = {input, parameters[0], parameters[1]},
                  .outputs = {output + "_codes"}});
  graph.add_node({.op_type = "DequantizeLinear",
                  .inputs = {output + "_codes", parameters[0], parameters[1]},
                  .outputs = {output}});
}

/// y = op(x, w) between Q/DQ pairs; all weights are 127.
graph::Graph probe_model(const std::string& op, const Tensor& zero_point, float output_scale) {
  const bool is_conv = op == "Conv";
  const Shape weight_shape = is_conv ? Shape{kOutputs, kTerms, 1, 1} : Shape{kTerms, kOutputs};
  graph::Graph graph;
  graph.info.graph_name = "probe";
  graph.opsets[""] = 13;
  std::vector<graph::Dim> input_shape = {{1, ""}, {kTerms, ""}};
  if (is_conv) input_shape.insert(input_shape.end(), {{4, ""}, {4, ""}});
  graph.add_input("x", {DType::kFloat32, input_shape});
  add_pair(graph, "x", 1.0F, zero_point, "x_dequantized");
  const auto weights = static_cast<std::size_t>(kTerms * kOutputs);
  graph.add_initializer(
      "w", Tensor::from<std::int8_t>(weight_shape, std::vector<std::int8_t>(weights, 127)));
  graph.add_initializer("w_scale", Tensor::scalar<float>(1.0F));
  graph.add_initializer("w_zero", Tensor::scalar<std::int8_t>(0));
  graph.add_node({.op_type = "DequantizeLinear",
                  .inputs = {"w", "w_scale", "w_zero"},
                  .outputs = {"w_dequantized"}});
  graph.add_node({.op_type = op, .inputs = {"x_dequantized", "w_dequantized"}, .outputs = {"sum"}});
  add_pair(graph, "sum", output_scale, zero_point, "y");
  graph.add_output("y");
  return graph;
}

bool probe_saturates(const std::string& op, const Tensor& zero_point) {
  const bool is_signed = zero_point.dtype() == DType::kInt8;
  const float value = is_signed ? kLargestSigned : kLargestUnsigned;
  const float expected = static_cast<float>(kTerms) * value * kLargestWeight;
  const float output_scale = expected / value;
  const Session session(probe_model(op, zero_point, output_scale), {.exact_integers = false});
  Shape shape = {1, kTerms};
  if (op == "Conv") shape.insert(shape.end(), {4, 4});
  Tensor input(DType::kFloat32, shape);
  std::fill_n(input.mutable_data<float>().begin(), input.size(), value);
  const Tensor output = session.run({{"x", input}}).at(0);
  const auto values = output.data<float>();
  return std::any_of(values.begin(), values.end(),
                     [&](float y) { return !(std::abs(y - expected) <= output_scale); });
}

bool any_saturates() {
  const Tensor unsigned_zero = Tensor::scalar<std::uint8_t>(0);
  const Tensor signed_zero = Tensor::scalar<std::int8_t>(0);
  for (const char* op : {"MatMul", "Conv"}) {
    if (probe_saturates(op, unsigned_zero) || probe_saturates(op, signed_zero)) return true;
  }
  return false;
}

}  // namespace

bool integer_kernels_saturate() {
  static const bool saturate = any_saturates();
  return saturate;
}

}  // namespace hexquant::runtime
