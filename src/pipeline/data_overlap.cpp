#include "pipeline/data_overlap.h"

#include <span>
#include <unordered_set>

#include "core/journal.h"

namespace hexquant::pipeline {
std::uint64_t sample_digest(const data::Sample& sample) {
  Digest digest;
  for (const auto& [name, tensor] : sample) digest.add(std::span(tensor.raw(), tensor.bytes()));
  return digest.value();
}

std::int64_t count_overlap(const data::Dataset& calibrated, const data::Dataset& scored) {
  std::unordered_set<std::uint64_t> known;
  for (std::int64_t i = 0; i < calibrated.size(); ++i)
    known.insert(sample_digest(calibrated.load(i)));
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < scored.size(); ++i) {
    count += known.contains(sample_digest(scored.load(i))) ? 1 : 0;
  }
  return count;
}

}  // namespace hexquant::pipeline
