#include "pipeline/distinct_runs.h"

#include <map>
#include <span>

#include "core/journal.h"

namespace hexquant::pipeline {

void DistinctRuns::note(std::int64_t run, const data::Sample& inputs) {
  Digest digest;
  for (const auto& [name, tensor] : inputs) {
    digest.add(name).add(std::as_bytes(std::span(tensor.shape())));
    digest.add(std::span(tensor.raw(), tensor.bytes()));
  }
  digests_.at(static_cast<std::size_t>(run)) = digest.value();
}

void DistinctRuns::group(const Load& load) {
  std::multimap<std::uint64_t, std::size_t> groups_of;
  groups_.clear();
  for (std::int64_t run = 0; run < std::ssize(digests_); ++run) {
    const std::uint64_t digest = digests_[static_cast<std::size_t>(run)];
    auto [candidate, end] = groups_of.equal_range(digest);
    while (candidate != end && load(groups_[candidate->second].front()) != load(run)) ++candidate;
    if (candidate != end) {
      groups_[candidate->second].push_back(run);
      continue;
    }
    groups_of.emplace(digest, groups_.size());
    groups_.push_back({run});
  }
}

}  // namespace hexquant::pipeline
