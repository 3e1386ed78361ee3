#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "runtime/session.h"

namespace hexquant::pipeline {

/// Samples in memory, which must outlive this view of them.
class KeptSamples final : public data::Dataset {
 public:
  explicit KeptSamples(const std::vector<runtime::Feeds>& feeds) : feeds_(feeds) {}
  [[nodiscard]] std::int64_t size() const override {
    return static_cast<std::int64_t>(feeds_.size());
  }
  [[nodiscard]] data::Sample load(std::int64_t index) const override {
    return feeds_[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] std::string describe(std::int64_t index) const override {
    return "sample " + std::to_string(index);
  }

 private:
  const std::vector<runtime::Feeds>& feeds_;
};

}  // namespace hexquant::pipeline
