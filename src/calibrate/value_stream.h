#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"
#include "hexquant/tensor.h"

namespace hexquant::calibrate {

/// The values of a model at one cut, for each of a number of samples. The cut moves forward through
/// the graph, so every node runs once for each sample, and what lies behind the cut may still
/// change (weights that are rounded layer by layer).
///
/// Memory: the values at the cut, for all samples. Inferences run one a thread, each on one thread,
/// so results do not depend on the number of threads.
class ValueStream {
 public:
  /// Holds the graph inputs of the first `samples` items of the data set.
  ValueStream(const data::Dataset& dataset, std::int64_t samples, int threads);

  /// Computes `values` from the values held, by nodes of `graph`, and holds just them from now on.
  /// @throws Error(kInvalidArgument) naming a value that cannot be computed from those held
  void advance(const graph::Graph& graph, const std::vector<std::string>& values);

  /// Called once for each sample of the range, from several threads.
  using Body = std::function<void(std::int64_t sample, const std::vector<Tensor>& values)>;

  /// Shows `values`, computed from those held, without moving the cut.
  class Reader {
   public:
    Reader(const ValueStream& stream, const graph::Graph& graph, std::vector<std::string> values);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    void read(std::int64_t first, std::int64_t last, const Body& body) const;

   private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
  };

  [[nodiscard]] std::int64_t samples() const noexcept {
    return static_cast<std::int64_t>(held_.size());
  }
  /// Bytes held now, all samples together.
  [[nodiscard]] std::int64_t held_bytes() const noexcept;

 private:
  using Values = std::map<std::string, Tensor>;
  /// Types of the values held: shapes where all samples agree.
  [[nodiscard]] std::map<std::string, graph::ValueType> held_types() const;

  std::vector<Values> held_;
  int threads_;
};

}  // namespace hexquant::calibrate
