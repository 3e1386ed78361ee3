#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "hexquant/tensor.h"
#include "runtime/session.h"

namespace hexquant::runtime {

/// Memory for a model's inputs or outputs, by name.
using Places = std::map<std::string, std::span<std::byte>>;

/// Bytes that a value takes. @throws Error(kUnsupported) naming a value with a free dimension or
/// elements that are no numbers
[[nodiscard]] std::size_t value_bytes(const ValueSpec& value);

/// A model bound to fixed places of memory (ONNX Runtime's I/O binding): a run reads its inputs and
/// writes its outputs where they lie, and copies neither.
class BoundRun {
 public:
  /// @param session  stays the caller's, and outlives this
  /// @param inputs, outputs  one place for each input and each output; they outlive this
  /// @throws Error(kInvalidData) naming a value without a place, or with one of another size;
  ///         Error(kUnsupported) as value_bytes
  BoundRun(const Session& session, const Places& inputs, const Places& outputs);
  ~BoundRun();
  BoundRun(BoundRun&&) noexcept;
  BoundRun& operator=(BoundRun&&) noexcept;

  /// For one thread at a time. @throws Error(kInvalidModel) when the inference fails
  void run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hexquant::runtime
