#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/tensor.h"

namespace hexquant::runtime {

/// Inputs of one inference, by graph input name.
using Feeds = std::map<std::string, Tensor>;

struct ValueSpec {
  std::string name;
  DType dtype = DType::kUndefined;
  std::vector<graph::Dim> shape;
};

/// A loaded model, wherever it runs. `run` may be called from several threads at once.
class InferenceSession {
 public:
  virtual ~InferenceSession() = default;
  [[nodiscard]] virtual const std::vector<ValueSpec>& inputs() const noexcept = 0;
  [[nodiscard]] virtual const std::vector<ValueSpec>& outputs() const noexcept = 0;
  /// Values of all outputs, in order. Buffers belong to the result.
  /// @throws Error(kInvalidData) when a feed is missing or has the wrong type or shape;
  ///         Error(kInvalidModel) when the inference fails
  [[nodiscard]] virtual std::vector<Tensor> run(const Feeds& feeds) const = 0;

 protected:
  InferenceSession() = default;
  InferenceSession(const InferenceSession&) = default;
  InferenceSession& operator=(const InferenceSession&) = default;
  InferenceSession(InferenceSession&&) = default;
  InferenceSession& operator=(InferenceSession&&) = default;
};

}  // namespace hexquant::runtime
