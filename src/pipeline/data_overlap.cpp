#include "pipeline/data_overlap.h"

#include <functional>
#include <string_view>
#include <unordered_set>

namespace hexquant::pipeline {
namespace {

std::size_t digest(const data::Sample& sample) {
  std::size_t value = 0;
  for (const auto& [name, tensor] : sample) {
    const std::string_view bytes(reinterpret_cast<const char*>(tensor.raw()), tensor.bytes());
    value = value * 31 + std::hash<std::string_view>{}(bytes);
  }
  return value;
}

}  // namespace

std::int64_t count_overlap(const data::Dataset& calibrated, const data::Dataset& scored) {
  std::unordered_set<std::size_t> known;
  for (std::int64_t i = 0; i < calibrated.size(); ++i) known.insert(digest(calibrated.load(i)));
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < scored.size(); ++i) {
    count += known.contains(digest(scored.load(i))) ? 1 : 0;
  }
  return count;
}

}  // namespace hexquant::pipeline
