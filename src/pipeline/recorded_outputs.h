#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"
#include "runtime/inference_session.h"

namespace hexquant::pipeline {

/// Outputs that a device wrote for the samples of a data set: `Result_i/TENSOR.raw` of
/// qnn-net-run, the i-th sample in Result_i. Debug dumps hold inner tensors as well.
class RecordedOutputs {
 public:
  /// @param folder  with Result_0 and so on
  /// @param model   that ran on the device; its shapes are inferred here
  /// @throws Error(kIo), Error(kInvalidData) when there is no Result_0, or fewer than `data` has
  RecordedOutputs(std::filesystem::path folder, graph::Graph model, const data::Dataset& data);

  /// Values of the model of which every sample has a file.
  [[nodiscard]] const std::vector<std::string>& values() const noexcept { return values_; }

  /// A model that answers with the recorded values: it finds the sample by the bytes of its inputs.
  /// Refers to this object.
  /// @throws Error(kInvalidData) naming an output without a file
  [[nodiscard]] std::unique_ptr<runtime::InferenceSession> open(
      const std::vector<std::string>& outputs = {}) const;

  [[nodiscard]] const graph::Graph& model() const noexcept { return model_; }
  /// @throws Error(kInvalidData) for inputs that no sample has
  [[nodiscard]] std::int64_t sample_of(const runtime::Feeds& feeds) const;
  /// float32 in TENSOR.raw, or the value's own type in TENSOR_native.raw.
  /// @throws Error(kInvalidData) naming a file of another size; Error(kIo)
  [[nodiscard]] Tensor read(std::int64_t sample, const std::string& value) const;

 private:
  [[nodiscard]] std::filesystem::path file_of(std::int64_t sample, const std::string& value,
                                              const char* ending) const;

  std::filesystem::path folder_;
  graph::Graph model_;
  std::map<std::uint64_t, std::int64_t> samples_;  // fingerprint of the inputs -> sample
  std::vector<std::string> values_;
};

}  // namespace hexquant::pipeline
