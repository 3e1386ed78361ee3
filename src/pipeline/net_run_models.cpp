#include "pipeline/net_run_models.h"

#include <cstring>

#include "core/format.h"
#include "core/journal.h"
#include "hexquant/error.h"

namespace hexquant::pipeline {
namespace {

/// Values in one buffer begin on multiples of this: a cache line of every Hexagon and Arm core.
constexpr std::size_t kValueAlignment = 128;

Shape shape_of(const runtime::ValueSpec& value) {
  Shape shape;
  for (const graph::Dim& dim : value.shape) shape.push_back(dim.value);
  return shape;
}

}  // namespace

std::uint64_t TensorModel::fingerprint() const {
  Digest digest;
  for (const Tensor& output : outputs_) digest.add(std::span(output.raw(), output.bytes()));
  return digest.value();
}

SharedModel::Layout SharedModel::layout_of(const std::vector<runtime::ValueSpec>& values) {
  Layout layout;
  for (const runtime::ValueSpec& value : values) {
    layout.offsets.push_back(layout.bytes);
    const std::size_t bytes = runtime::value_bytes(value);
    layout.bytes += (bytes + kValueAlignment - 1) / kValueAlignment * kValueAlignment;
  }
  return layout;
}

runtime::Places SharedModel::places_of(const std::vector<runtime::ValueSpec>& values,
                                       const Layout& layout, const SharedBuffer& buffer) {
  runtime::Places places;
  for (std::size_t i = 0; i < values.size(); ++i) {
    places[values[i].name] = buffer.bytes(layout.offsets[i], runtime::value_bytes(values[i]));
  }
  return places;
}

SharedModel::SharedModel(const runtime::Session& session, NetRunInputs& inputs)
    : session_(session),
      inputs_(inputs),
      input_layout_(layout_of(session.inputs())),
      output_layout_(layout_of(session.outputs())),
      input_buffer_(SharedBuffer::allocate(std::max<std::size_t>(input_layout_.bytes, 1))),
      output_buffer_(SharedBuffer::allocate(std::max<std::size_t>(output_layout_.bytes, 1))),
      bound_(session, places_of(session.inputs(), input_layout_, input_buffer_),
             places_of(session.outputs(), output_layout_, output_buffer_)) {}

void SharedModel::load(std::int64_t set) {
  const runtime::Feeds& feeds = inputs_.load(set);
  const ScopedAccess access(input_buffer_, BufferAccess::kWrite);
  for (std::size_t i = 0; i < session_.inputs().size(); ++i) {
    const runtime::ValueSpec& input = session_.inputs()[i];
    const Tensor& tensor = feeds.at(input.name);
    if (tensor.dtype() != input.dtype || tensor.bytes() != runtime::value_bytes(input)) {
      throw Error(ErrorCode::kInvalidData,
                  format("input '{}': given {}{}, expected {} of {} bytes", input.name,
                         dtype_name(tensor.dtype()), shape_text(tensor.shape()),
                         dtype_name(input.dtype), runtime::value_bytes(input)));
    }
    std::memcpy(input_buffer_.bytes(input_layout_.offsets[i], tensor.bytes()).data(), tensor.raw(),
                tensor.bytes());
  }
}

std::uint64_t SharedModel::fingerprint() const {
  const ScopedAccess access(output_buffer_, BufferAccess::kRead);
  return Digest().add(output_buffer_.bytes()).value();
}

std::vector<Tensor> SharedModel::outputs() const {
  const ScopedAccess access(output_buffer_, BufferAccess::kRead);
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < session_.outputs().size(); ++i) {
    const runtime::ValueSpec& output = session_.outputs()[i];
    Tensor tensor(output.dtype, shape_of(output));
    const auto bytes = output_buffer_.bytes(output_layout_.offsets[i], tensor.bytes());
    std::memcpy(tensor.mutable_raw(), bytes.data(), bytes.size());
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

std::int64_t SharedModel::bytes() const noexcept {
  return static_cast<std::int64_t>(input_layout_.bytes + output_layout_.bytes);
}

std::vector<std::byte> SharedModel::input_copy() const {
  return {input_buffer_.bytes().begin(), input_buffer_.bytes().end()};
}

void SharedModel::copy_inputs_in(std::span<const std::byte> from) {
  const ScopedAccess access(input_buffer_, BufferAccess::kWrite);
  std::memcpy(input_buffer_.bytes().data(), from.data(), from.size());
}

void SharedModel::copy_outputs_out(std::span<std::byte> to) const {
  const ScopedAccess access(output_buffer_, BufferAccess::kRead);
  std::memcpy(to.data(), output_buffer_.bytes().data(), to.size());
}

}  // namespace hexquant::pipeline
