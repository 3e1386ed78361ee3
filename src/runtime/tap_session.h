#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/tensor.h"
#include "runtime/session.h"

namespace hexquant::runtime {

/// A value as a TapSession shows it: valid only during the call.
struct TapView {
  std::size_t index = 0;  ///< into the session's list of values
  DType dtype = DType::kUndefined;
  Shape shape;  ///< as in the graph
  const std::byte* data = nullptr;
  /// 1: row-major. b > 1: rank 4, stored as [N, ceil(C / b), H, W, b]; lanes beyond the last
  /// channel hold padding.
  std::int64_t channel_block = 1;

  /// @pre dtype is float32
  [[nodiscard]] const float* floats() const noexcept {
    return reinterpret_cast<const float*>(data);
  }
};

/// Copy of a float32 view in row-major order, without padding.
[[nodiscard]] std::vector<float> to_row_major(const TapView& view);

using TapConsumer = std::function<void(const TapView&)>;

/// Runs a graph and shows chosen values to a consumer while they are still in the cache.
///
/// The graph is optimized first, with the chosen values as outputs; then each value is read by an
/// operator of ours that runs right after the value's producer. So nothing is kept until the end of
/// a run, and convolution outputs are read in ONNX Runtime's blocked channel layout, without the
/// reordering that an output would cost (EfficientNet-Lite0 with 60 taps: 1.50 x the bare pass as
/// outputs, 1.10 x in blocked layout). Graphs that cannot be optimized ahead are run with the
/// values as plain outputs: slower, same numbers.
class TapSession {
 public:
  /// @param values  inputs, initializers or node outputs; each is shown once in a run
  /// @throws Error(kInvalidArgument) naming an unknown value;
  ///         Error(kInvalidModel) with ONNX Runtime's reason in one line
  TapSession(const graph::Graph& graph, const std::vector<std::string>& values);
  ~TapSession();
  TapSession(TapSession&&) noexcept;
  TapSession& operator=(TapSession&&) noexcept;

  /// One inference on the calling thread; may be called from several threads at once. Values come
  /// in an order that is the same in every run. What the consumer throws is thrown on.
  /// @throws Error(kInvalidData) when a feed is missing or has the wrong type or shape
  void run(const Feeds& feeds, const TapConsumer& consumer) const;

  /// False when values are taken as plain outputs.
  [[nodiscard]] bool reads_in_place() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hexquant::runtime
