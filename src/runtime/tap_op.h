#pragma once

#include <onnxruntime_cxx_api.h>

#include <exception>
#include <functional>

namespace hexquant::runtime {

/// Receives tap `index`'s tensor inside a run.
using TapCallback = std::function<void(std::size_t index, const Ort::ConstValue& value)>;

/// Names under which graphs use the operator.
inline constexpr const char* kTapDomain = "hexquant.runtime";
inline constexpr const char* kTapOp = "Tap";

/// Custom operator Tap(value: any type, token: int32 [1]) -> token: int32 [1], attribute `index`:
/// shows `value` to the TapScope of the calling thread. The tokens chain all taps of a graph, so
/// that they run in this order.
[[nodiscard]] OrtCustomOpDomain* tap_domain();

/// While alive, taps that run on this thread call `callback`. Its first exception stops the run.
class TapScope {
 public:
  explicit TapScope(const TapCallback& callback);
  ~TapScope();
  TapScope(const TapScope&) = delete;
  TapScope& operator=(const TapScope&) = delete;
  /// Throws what the callback threw, if it did.
  void rethrow() const;

 private:
  friend struct TapKernel;
  const TapCallback& callback_;
  std::exception_ptr exception_;
  TapScope* outer_;
};

}  // namespace hexquant::runtime
