#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/progress.h"
#include "runtime/session.h"

namespace hexquant::runtime {

/// The part of a graph that computes `values` from the values at a cut, as one session.
/// Values that are themselves at the cut are handed through.
class Segment {
 public:
  /// @param cut  what is given: values with a known type (Graph::find_type)
  /// @throws Error(kInvalidArgument) naming a value without a type, or one that cannot be computed
  ///         from the cut; Error(kInvalidModel)
  Segment(const graph::Graph& graph, const std::vector<std::string>& cut,
          std::vector<std::string> values, const SessionOptions& options = {});

  /// @param given  the values at the cut; more may be there
  [[nodiscard]] std::vector<Tensor> run(const Feeds& given) const;
  [[nodiscard]] const std::vector<std::string>& values() const noexcept { return values_; }

 private:
  std::vector<std::string> values_;
  std::vector<bool> is_given_;
  std::shared_ptr<const Session> session_;  ///< null when everything is given
};

/// Runs a float graph piece by piece over many samples: a cut moves forward through the graph, and
/// for each sample the values that later nodes read are at hand on both sides of each step.
///
/// The values at the cut are held in memory for all samples as long as they fit. Where they do not,
/// the last cut that did fit is kept, and what lies between is computed again for each sample, by
/// the same segments: the numbers do not depend on the memory, nor on the number of threads.
class SegmentRunner {
 public:
  using Load = std::function<Feeds(std::int64_t sample)>;
  /// Called once for each sample, from several threads.
  using Body = std::function<void(std::int64_t sample, const Feeds& before, const Feeds& after)>;

  /// The cut is at the graph's inputs.
  /// @param load       feeds of a sample; called again where they cannot be held
  /// @param max_bytes  of all values held at a cut
  SegmentRunner(const graph::Graph& graph, std::int64_t samples, Load load, std::int64_t max_bytes,
                int threads);

  /// Moves the cut to `values`. @throws Error like Segment; what `body` throws
  void advance(const std::vector<std::string>& values, const Body& body = {});

  /// Calls `body` for each sample with the values at the cut.
  void visit(const std::function<void(std::int64_t sample, const Feeds& at_cut)>& body) const;

  [[nodiscard]] const std::vector<std::string>& cut() const noexcept { return cut_; }
  /// False while the values at the cut are computed again at each use.
  [[nodiscard]] bool holds_cut() const noexcept { return holds_ && pending_.empty(); }

 private:
  [[nodiscard]] Feeds at_cut(std::int64_t sample) const;

  const graph::Graph& graph_;
  Load load_;
  std::int64_t max_bytes_;
  int threads_;
  std::vector<std::string> cut_;
  bool holds_ = false;            ///< held_ is in use; else the data is loaded
  std::vector<Feeds> held_;       ///< by sample, at the last cut that fitted
  std::vector<Segment> pending_;  ///< from there to cut_
};

}  // namespace hexquant::runtime
