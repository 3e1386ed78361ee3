#include "passes/replace_cpu_ops.h"

#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "core/format.h"
#include "passes/graph_match.h"
#include "passes/graph_rewire.h"

namespace hexquant::passes {
namespace {

using graph::Attributes;
using graph::Graph;
using graph::Node;

/// Writes an expression in front of the node that it replaces.
class Writer {
 public:
  Writer(Graph& graph, const Node& node) : graph_(graph), node_(node) {
    if (const graph::ValueType* type = graph.find_type(node.input(0))) type_ = *type;
  }

  [[nodiscard]] const Node& node() const noexcept { return node_; }
  [[nodiscard]] const std::string& x() const { return node_.input(0); }
  [[nodiscard]] Graph& graph() { return graph_; }

  std::string constant(double value) { return constant(Tensor::scalar(static_cast<float>(value))); }
  std::string constant(Tensor tensor) {
    const std::string name = graph_.unique_name(node_.name() + "_constant");
    graph_.add_initializer(name, std::move(tensor));
    return name;
  }
  /// A value of the input's shape.
  std::string op(const char* op_type, std::vector<std::string> inputs, Attributes attributes = {},
                 DType dtype = DType::kFloat32) {
    const std::string output = graph_.unique_name(node_.name() + "_" + op_type);
    graph_.insert_before(node_,
                         {op_type, std::move(inputs), {output}, std::move(attributes), output});
    graph::ValueType type = type_;
    type.dtype = dtype;
    graph_.set_type(output, std::move(type));
    return output;
  }
  /// The last operation becomes what the node was.
  void finish(const char* op_type, std::vector<std::string> inputs, Attributes attributes = {}) {
    replace_nodes(graph_, {&node_}, node_, {op_type, std::move(inputs), {}, std::move(attributes)});
  }

 private:
  Graph& graph_;
  const Node& node_;
  graph::ValueType type_{DType::kFloat32, std::nullopt};
};

double attribute(const Node& node, const char* name, float fallback) {
  return static_cast<double>(node.float_attribute(name, fallback));
}

void write_celu(Writer& w) {
  const double alpha = attribute(w.node(), "alpha", 1.0F);
  if (alpha == 1.0) {
    w.finish("Elu", {w.x()}, {{"alpha", 1.0F}});
    return;
  }
  const std::string inner = w.op("Mul", {w.x(), w.constant(1.0 / alpha)});
  const std::string elu = w.op("Elu", {inner}, {{"alpha", 1.0F}});
  w.finish("Mul", {elu, w.constant(alpha)});
}

void write_selu(Writer& w) {
  const auto alpha = static_cast<float>(attribute(w.node(), "alpha", 1.67326319217681884765625F));
  const double gamma = attribute(w.node(), "gamma", 1.05070102214813232421875F);
  const std::string elu = w.op("Elu", {w.x()}, {{"alpha", alpha}});
  w.finish("Mul", {elu, w.constant(gamma)});
}

void write_mish(Writer& w) {
  const std::string tanh = w.op("Tanh", {w.op("Softplus", {w.x()})});
  w.finish("Mul", {w.x(), tanh});
}

void write_softsign(Writer& w) {
  const std::string denominator = w.op("Add", {w.op("Abs", {w.x()}), w.constant(1.0)});
  w.finish("Div", {w.x(), denominator});
}

void write_hyperbolic(Writer& w, const char* op_type) {
  const std::string rising = w.op("Exp", {w.x()});
  const std::string falling = w.op("Exp", {w.op("Neg", {w.x()})});
  w.finish("Mul", {w.op(op_type, {rising, falling}), w.constant(0.5)});
}

void write_thresholded_relu(Writer& w) {
  const double alpha = attribute(w.node(), "alpha", 1.0F);
  const std::string above = w.op("Greater", {w.x(), w.constant(alpha)}, {}, DType::kBool);
  w.finish("Where", {above, w.x(), w.constant(0.0)});
}

void write_shrink(Writer& w) {
  const double lambda = attribute(w.node(), "lambd", 0.5F);
  const double bias = attribute(w.node(), "bias", 0.0F);
  if (lambda == bias && lambda >= 0.0) {
    const std::string above = w.op("Relu", {w.op("Sub", {w.x(), w.constant(lambda)})});
    const std::string mirrored = w.op("Sub", {w.op("Neg", {w.x()}), w.constant(lambda)});
    w.finish("Sub", {above, w.op("Relu", {mirrored})});
    return;
  }
  const auto shifted = [&](double by) {
    return by == 0.0 ? w.x() : w.op("Add", {w.x(), w.constant(by)});
  };
  const std::string below = w.op("Less", {w.x(), w.constant(-lambda)}, {}, DType::kBool);
  const std::string low = w.op("Where", {below, shifted(bias), w.constant(0.0)});
  const std::string above = w.op("Greater", {w.x(), w.constant(lambda)}, {}, DType::kBool);
  // ONNX tests the lower side first, which matters for a negative lambda.
  w.finish("Where", {below, low, w.op("Where", {above, shifted(-bias), w.constant(0.0)})});
}

/// Size and non-negative number of the axis of a Hardmax; nothing when it is not known.
std::optional<std::pair<std::int64_t, std::int64_t>> hardmax_axis(const Graph& graph,
                                                                  const Node& node) {
  const graph::ValueType* type = graph.find_type(node.input(0));
  if (graph.opset() < 13 || type == nullptr || !type->shape) return std::nullopt;
  const auto rank = std::ssize(*type->shape);
  const std::int64_t given = node.int_attribute("axis", -1);
  const std::int64_t axis = given < 0 ? given + rank : given;
  if (axis < 0 || axis >= rank) return std::nullopt;
  const graph::Dim& dim = (*type->shape)[static_cast<std::size_t>(axis)];
  if (!dim.is_fixed()) return std::nullopt;
  return std::pair{axis, dim.value};
}

void write_hardmax(Writer& w) {
  const auto [axis, size] = *hardmax_axis(w.graph(), w.node());
  const auto rank = *known_rank(w.graph(), w.x());
  const std::string best =
      w.op("ArgMax", {w.x()}, {{"axis", axis}, {"keepdims", std::int64_t{1}}}, DType::kInt64);
  w.graph().erase_type(best);  // its axis has one element
  std::vector<std::int64_t> indices(static_cast<std::size_t>(size));
  std::iota(indices.begin(), indices.end(), 0);
  Shape shape(static_cast<std::size_t>(rank), 1);
  shape[static_cast<std::size_t>(axis)] = size;
  const std::string hit = w.op(
      "Equal", {best, w.constant(Tensor::from<std::int64_t>(shape, indices))}, {}, DType::kBool);
  w.finish("Cast", {hit}, {{"to", static_cast<std::int64_t>(DType::kFloat32)}});
}

/// a + b + c ..., as a chain; the shapes of partial sums are those of broadcasting.
std::string partial_sum(Writer& w, std::size_t count) {
  std::string sum = w.node().input(0);
  for (std::size_t i = 1; i < count; ++i) {
    sum = w.op("Add", {sum, w.node().input(i)});
    w.graph().erase_type(sum);
  }
  return sum;
}

void write_sum(Writer& w) {
  const std::size_t count = w.node().inputs().size();
  w.finish("Add", {partial_sum(w, count - 1), w.node().input(count - 1)});
}

void write_mean(Writer& w) {
  const std::size_t count = w.node().inputs().size();
  w.finish("Mul", {partial_sum(w, count), w.constant(1.0 / static_cast<double>(count))});
}

using Replacement = std::function<void(Writer&)>;

const std::map<std::string, Replacement>& replacements() {
  static const std::map<std::string, Replacement> all = {
      {"Celu", write_celu},
      {"Selu", write_selu},
      {"Mish", write_mish},
      {"Softsign", write_softsign},
      {"Sinh", [](Writer& w) { write_hyperbolic(w, "Sub"); }},
      {"Cosh", [](Writer& w) { write_hyperbolic(w, "Add"); }},
      {"ThresholdedRelu", write_thresholded_relu},
      {"Shrink", write_shrink},
      {"Hardmax", write_hardmax},
      {"Sum", write_sum},
      {"Mean", write_mean},
  };
  return all;
}

/// Why a node that has a replacement keeps its form; "" when it does not.
std::string obstacle(const Graph& graph, const Node& node) {
  if (known_dtype(graph, node.input(0)) != DType::kFloat32) return "it is not float32";
  if (node.is("Hardmax") && !hardmax_axis(graph, node)) {
    return "the size of its axis is not fixed, or the operator set is older than 13";
  }
  if ((node.is("Sum") || node.is("Mean")) && node.inputs().size() < 2) return "it has one input";
  if (node.is("Celu") && attribute(node, "alpha", 1.0F) == 0.0) return "alpha is 0";
  return "";
}

/// Operations without an equivalent, with what helps.
void report_rest(const Node& node, PassReport& report) {
  if (!node.is("Erf")) return;
  report.findings.push_back(
      {"cpu-op-stays", Severity::kWarning, node.name(),
       "Erf outside of a GELU has no exact equivalent among the operations of the HTP",
       "use Tanh or GELU in the model"});
}

}  // namespace

PassReport replace_cpu_ops(Graph& graph) {
  PassReport report{"replace_cpu_ops", {}, {}};
  for (const Node* node : graph.node_list()) {
    report_rest(*node, report);
    const auto found = replacements().find(node->op_type());
    if (found == replacements().end() || !node->domain().empty()) continue;
    const std::string reason = obstacle(graph, *node);
    const std::string name = node->name();
    if (!reason.empty()) {
      report.findings.push_back({"cpu-op-stays", Severity::kInfo, name,
                                 format("{} is not replaced: {}", node->op_type(), reason), ""});
      continue;
    }
    const auto type = known_type(graph, node->output());
    const std::string output = node->output();
    Writer writer(graph, *node);
    found->second(writer);
    if (type) graph.set_type(output, *type);
    report.applied_to.push_back(name);
  }
  return report;
}

}  // namespace hexquant::passes
