#include "plan/quantization_points.h"

#include <algorithm>
#include <string>

namespace hexquant::plan {
namespace {

using graph::Node;

class PointFinder {
 public:
  PointFinder(const Context& context, Fusions& fusions) : context_(context), fusions_(fusions) {}

  void run() {
    for (const std::string& input : context_.graph.inputs()) {
      decide(input, context_.config.quantizes_model_inputs());
    }
    for (const Node& node : context_.graph.nodes()) {
      const bool quantized = shares_codes(node) || context_.config.quantizes_outputs(node);
      for (const std::string& output : float_outputs(context_.graph, node)) {
        decide(output, quantized);
      }
    }
  }

 private:
  void decide(const std::string& value, bool quantized) {
    if (quantized || is_quantized_by_a_reader(value)) return;
    if (context_.graph.is_output(value) && context_.config.quantizes_model_outputs()) return;
    fusions_.interior.insert(value);
  }

  [[nodiscard]] bool is_quantized_by_a_reader(const std::string& value) const {
    const auto& uses = context_.graph.uses(value);
    return std::any_of(uses.begin(), uses.end(), [&](const graph::Use& use) {
      return context_.is_integer(*use.node) && context_.config.quantizes_inputs(*use.node);
    });
  }

  /// A mover of something quantized. @pre what it moves has been decided
  [[nodiscard]] bool shares_codes(const Node& node) const {
    const auto is_point = [&](const std::string& value) {
      return !fusions_.interior.contains(value);
    };
    switch (context_.choice(node).handling) {
      case Handling::kMover:
        return is_point(node.input(0));
      case Handling::kConcat:
        return std::any_of(node.inputs().begin(), node.inputs().end(), is_point);
      default:
        return false;
    }
  }

  const Context& context_;
  Fusions& fusions_;
};

}  // namespace

void leave_out_unquantized(const Context& context, Fusions& fusions) {
  if (context.config.given()) PointFinder(context, fusions).run();
}

}  // namespace hexquant::plan
