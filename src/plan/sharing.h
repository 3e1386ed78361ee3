#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "graph/graph.h"
#include "hexquant/encoding.h"
#include "plan/classify.h"
#include "plan/fusion.h"

namespace hexquant::plan {

/// Values that use one encoding.
struct SharingGroup {
  std::string representative;        ///< holds every value of the group: its statistics decide
  std::vector<std::string> members;  ///< representative included
  std::vector<const graph::Node*> movers;
  /// Width of the integer node that computes the values; 0 = none does.
  int producer_bits = 0;
  std::optional<Range> fixed_range;
  std::optional<Range> limits;  ///< that a configuration sets to the observed range
  /// Range that a fused Relu or Clip promises; the encoding must not reach beyond it, or the
  /// activation no longer vanishes into QuantizeLinear.
  std::optional<Range> promised;
  bool carries = false;  ///< its members get an encoding
};

/// The override of a group: that of the first member that has one for codes, the representative
/// first; nullptr = none has.
[[nodiscard]] const TensorOverride* override_of(const Context& context, const SharingGroup& group);

/// A partition of the float values that may carry an encoding.
class Sharing {
 public:
  explicit Sharing(const Context& context, const Fusions& fusions);

  [[nodiscard]] const std::vector<SharingGroup>& groups() const noexcept { return groups_; }
  /// Group of a value, or nullptr: interior values, values no integer node or mover touches.
  [[nodiscard]] const SharingGroup* find(const std::string& value) const;

 private:
  std::size_t group_index(const std::string& value);
  void add_compute(const graph::Node& node, const Fusions& fusions);
  void add_mover(const graph::Node& node, const Fusions& fusions);
  void add_concat(const graph::Node& node, const Fusions& fusions);
  void mark_carriers(const Fusions& fusions);
  [[nodiscard]] Range bounds_of(const std::string& value) const;
  [[nodiscard]] bool may_join(std::size_t from, std::size_t to, const std::string& value,
                              const Range& range) const;
  void merge(std::size_t from, std::size_t to);

  const Context& context_;
  std::vector<SharingGroup> groups_;
  std::unordered_map<std::string, std::size_t> index_;
  /// Values that hold every element of their group's representative.
  std::unordered_map<std::string, bool> complete_;
  std::unordered_map<std::string, Range> bounds_;  ///< where known
};

}  // namespace hexquant::plan
