#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "data/dataset.h"
#include "graph/graph.h"
#include "runtime/inference_session.h"

namespace hexquant::pipeline {

/// Inputs of inferences: the lines of an input list, or one set of seeded random numbers.
class NetRunInputs {
 public:
  /// @param batch_multiplier  so many lines become one inference; the model's batch must be free
  /// @throws Error(kInvalidArgument) for a batch that cannot be multiplied, Error(kInvalidData)
  NetRunInputs(const graph::Graph& graph, const std::string& input_list, bool native_files,
               std::int64_t batch_multiplier, std::uint64_t seed);

  [[nodiscard]] std::int64_t sets() const;
  /// The inputs of a set; those of the first sets are kept in memory, others read again.
  [[nodiscard]] const runtime::Feeds& load(std::int64_t set);

 private:
  [[nodiscard]] runtime::Feeds read(std::int64_t set) const;

  std::unique_ptr<data::Dataset> data_;  // none: random inputs
  std::int64_t batch_multiplier_;
  std::map<std::int64_t, runtime::Feeds> kept_;
  std::size_t kept_bytes_ = 0;
  runtime::Feeds last_;
};

/// Tensors put behind one another along the first axis. @pre same types and other dimensions
[[nodiscard]] Tensor concatenate_rows(const std::vector<Tensor>& parts);

/// Bytes of a set of tensors.
[[nodiscard]] std::size_t feeds_bytes(const runtime::Feeds& feeds);

}  // namespace hexquant::pipeline
