#include "pipeline/data_overlap.h"

#include <unordered_set>

namespace hexquant::pipeline {

std::int64_t count_overlap(const data::Dataset& calibrated, const data::Dataset& scored) {
  std::unordered_set<std::uint64_t> known;
  for (std::int64_t i = 0; i < calibrated.size(); ++i) {
    known.insert(data::sample_digest(calibrated.load(i)));
  }
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < scored.size(); ++i) {
    count += known.contains(data::sample_digest(scored.load(i))) ? 1 : 0;
  }
  return count;
}

}  // namespace hexquant::pipeline
