#pragma once

#include <string>
#include <utility>
#include <vector>

#include "data/dataset.h"

namespace hexquant::test {

/// Samples that lie in memory.
class MemoryDataset final : public data::Dataset {
 public:
  explicit MemoryDataset(std::vector<data::Sample> samples, std::int64_t batch_size = 1)
      : samples_(std::move(samples)), batch_size_(batch_size) {}
  [[nodiscard]] std::int64_t batch_size() const override { return batch_size_; }
  [[nodiscard]] std::int64_t size() const override {
    return static_cast<std::int64_t>(samples_.size());
  }
  [[nodiscard]] data::Sample load(std::int64_t index) const override {
    return samples_.at(static_cast<std::size_t>(index));
  }
  [[nodiscard]] std::string describe(std::int64_t index) const override {
    return "sample " + std::to_string(index);
  }

 private:
  std::vector<data::Sample> samples_;
  std::int64_t batch_size_;
};

/// One float input `name` of shape [1, values] for each row.
inline MemoryDataset float_rows(const std::string& name,
                                const std::vector<std::vector<float>>& rows) {
  std::vector<data::Sample> samples;
  for (const std::vector<float>& row : rows) {
    const Shape shape = {1, static_cast<std::int64_t>(row.size())};
    samples.push_back({{name, Tensor::from<float>(shape, row)}});
  }
  return MemoryDataset(std::move(samples));
}

}  // namespace hexquant::test
