#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "data/dataset.h"

namespace hexquant::pipeline {

/// Runs that are given the same inputs, byte for byte (a sentence that occurs in several pairs, a
/// picture that was collected twice): one computation serves all of them.
class DistinctRuns {
 public:
  using Load = std::function<data::Sample(std::int64_t run)>;

  explicit DistinctRuns(std::int64_t runs) : digests_(static_cast<std::size_t>(runs)) {}

  /// Takes note of a run's inputs. Each run once, from several threads at once.
  void note(std::int64_t run, const data::Sample& inputs);

  /// Groups the runs. Those with the same digest are loaded and compared.
  /// @pre every run was noted
  void group(const Load& load);

  [[nodiscard]] std::int64_t size() const noexcept { return std::ssize(groups_); }
  /// Runs of a group, ascending; groups are in the order of their first runs.
  [[nodiscard]] const std::vector<std::int64_t>& runs(std::int64_t group) const {
    return groups_.at(static_cast<std::size_t>(group));
  }
  [[nodiscard]] std::int64_t first(std::int64_t group) const { return runs(group).front(); }

 private:
  std::vector<std::uint64_t> digests_;
  std::vector<std::vector<std::int64_t>> groups_;
};

}  // namespace hexquant::pipeline
