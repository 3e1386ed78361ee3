#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "runtime/session.h"

namespace hexquant::passes {

/// Sizes of free input dimensions, by symbol.
using Sizes = std::map<std::string, std::int64_t>;

/// The free dimensions of a graph's inputs. Every one has a symbol (see name_free_dimensions).
class FreeDimensions {
 public:
  explicit FreeDimensions(const graph::Graph& graph);

  [[nodiscard]] bool has(const std::string& symbol) const { return places_.contains(symbol); }
  [[nodiscard]] bool empty() const noexcept { return places_.empty(); }
  /// Symbols that are the first dimension of some input, or that are not.
  [[nodiscard]] std::vector<std::string> symbols(bool batch) const;
  /// Sizes as in the example; where it says nothing, batch 1 and `other` elsewhere.
  [[nodiscard]] Sizes example_sizes(const runtime::Feeds& example, std::int64_t other) const;
  /// Inputs of these sizes: the example repeated or cut along the free axes, zeros where it has
  /// none.
  [[nodiscard]] runtime::Feeds feeds(const runtime::Feeds& example, const Sizes& sizes) const;
  /// True if the example leaves open a dimension other than the batch.
  [[nodiscard]] bool needs_guess(const runtime::Feeds& example) const;

 private:
  struct Place {
    std::string input;
    std::size_t axis;
  };
  const graph::Graph& graph_;
  std::map<std::string, std::vector<Place>> places_;
};

/// Gives unnamed free input dimensions symbols of their own. @return those symbols
std::vector<std::string> name_free_dimensions(graph::Graph& graph);

}  // namespace hexquant::passes
