#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "hexquant/shared_buffer.h"
#include "pipeline/net_run_inputs.h"
#include "runtime/bound_run.h"
#include "runtime/repeated_run.h"
#include "runtime/session.h"

namespace hexquant::pipeline {

/// A session that is handed tensors and returns tensors.
class TensorModel final : public runtime::RepeatedModel {
 public:
  TensorModel(const runtime::InferenceSession& session, NetRunInputs& inputs)
      : session_(session), inputs_(inputs) {}

  [[nodiscard]] std::int64_t sets() const override { return inputs_.sets(); }
  void load(std::int64_t set) override { feeds_ = &inputs_.load(set); }
  void run() override { outputs_ = session_.run(*feeds_); }
  [[nodiscard]] std::uint64_t fingerprint() const override;
  [[nodiscard]] const std::vector<Tensor>& outputs() const noexcept { return outputs_; }

 private:
  const runtime::InferenceSession& session_;
  NetRunInputs& inputs_;
  const runtime::Feeds* feeds_ = nullptr;
  std::vector<Tensor> outputs_;
};

/// A session bound to shared memory: whoever holds the buffers' descriptors writes the inputs and
/// reads the outputs; an inference copies nothing.
class SharedModel final : public runtime::RepeatedModel {
 public:
  /// @throws Error as BoundRun and SharedBuffer::allocate
  SharedModel(const runtime::Session& session, NetRunInputs& inputs);

  [[nodiscard]] std::int64_t sets() const override { return inputs_.sets(); }
  /// Stands in for the producer: writes the set where the model reads it.
  void load(std::int64_t set) override;
  void run() override { bound_.run(); }
  [[nodiscard]] std::uint64_t fingerprint() const override;
  /// Copies, for writing them to files.
  [[nodiscard]] std::vector<Tensor> outputs() const;
  [[nodiscard]] BufferBackend backend() const noexcept { return input_buffer_.backend(); }
  [[nodiscard]] std::int64_t bytes() const noexcept;
  /// What a client without shared memory does around each inference.
  void copy_inputs_in(std::span<const std::byte> from);
  void copy_outputs_out(std::span<std::byte> to) const;
  [[nodiscard]] std::vector<std::byte> input_copy() const;
  [[nodiscard]] std::size_t output_bytes() const noexcept { return output_buffer_.bytes().size(); }

 private:
  struct Layout {
    std::vector<std::size_t> offsets;
    std::size_t bytes = 0;
  };
  static Layout layout_of(const std::vector<runtime::ValueSpec>& values);
  static runtime::Places places_of(const std::vector<runtime::ValueSpec>& values,
                                   const Layout& layout, const SharedBuffer& buffer);

  const runtime::Session& session_;
  NetRunInputs& inputs_;
  Layout input_layout_;
  Layout output_layout_;
  SharedBuffer input_buffer_;
  mutable SharedBuffer output_buffer_;
  runtime::BoundRun bound_;
};

}  // namespace hexquant::pipeline
