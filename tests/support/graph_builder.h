#pragma once

#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"

namespace hexquant::test {

/// Builds small float graphs whose values all have types. Chained calls; names of nodes are those
/// of their first output.
class GraphBuilder {
 public:
  GraphBuilder() { graph_.opsets[""] = 21; }

  GraphBuilder& input(const std::string& name, const Shape& shape, DType dtype = DType::kFloat32) {
    graph_.add_input(name, type_of(shape, dtype));
    return *this;
  }

  /// Float constant; element i is 0.1 * (i % 7) - 0.2.
  GraphBuilder& constant(const std::string& name, const Shape& shape) {
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = 0.1F * static_cast<float>(i % 7) - 0.2F;
    }
    graph_.add_initializer(name, Tensor::from<float>(shape, values));
    return *this;
  }
  GraphBuilder& scalar(const std::string& name, float value) {
    graph_.add_initializer(name, Tensor::scalar<float>(value));
    return *this;
  }
  GraphBuilder& int64s(const std::string& name, const std::vector<std::int64_t>& values) {
    graph_.add_initializer(
        name, Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
    return *this;
  }

  /// Node with outputs of the given shape; the planner only looks at types and ranks.
  GraphBuilder& node(const std::string& op_type, std::vector<std::string> inputs,
                     std::vector<std::string> outputs, const Shape& shape,
                     graph::Attributes attributes = {}, const std::string& domain = "",
                     DType dtype = DType::kFloat32) {
    for (const std::string& output : outputs) graph_.set_type(output, type_of(shape, dtype));
    const std::string name = outputs.front();
    graph_.add_node(
        {op_type, std::move(inputs), std::move(outputs), std::move(attributes), name, domain});
    return *this;
  }

  GraphBuilder& output(const std::string& name) {
    graph_.add_output(name);
    return *this;
  }

  [[nodiscard]] const graph::Graph& graph() const noexcept { return graph_; }

  static graph::ValueType type_of(const Shape& shape, DType dtype) {
    graph::ValueType type;
    type.dtype = dtype;
    type.shape.emplace();
    for (const std::int64_t dim : shape) type.shape->push_back({dim, ""});
    return type;
  }

 private:
  graph::Graph graph_;
};

}  // namespace hexquant::test
