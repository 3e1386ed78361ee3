#include "runtime/bound_run.h"

#include <onnxruntime_cxx_api.h>

#include <utility>
#include <vector>

#include "core/format.h"
#include "hexquant/error.h"
#include "runtime/ort_environment.h"
#include "runtime/session_impl.h"

namespace hexquant::runtime {
namespace {

Shape fixed_shape(const ValueSpec& value) {
  if (dtype_bits(value.dtype) == 0) {
    throw Error(ErrorCode::kUnsupported,
                format("'{}' holds no numbers and has no place of fixed size", value.name));
  }
  Shape shape;
  for (const graph::Dim& dim : value.shape) {
    if (!dim.is_fixed()) {
      throw Error(ErrorCode::kUnsupported,
                  format("'{}' has a free dimension '{}': fix the input shapes to give it a place",
                         value.name, dim.symbol));
    }
    shape.push_back(dim.value);
  }
  return shape;
}

Ort::Value wrap_place(const ValueSpec& value, const Places& places, const char* role) {
  const auto found = places.find(value.name);
  const std::size_t wanted = value_bytes(value);
  if (found == places.end() || found->second.size() != wanted) {
    throw Error(ErrorCode::kInvalidData,
                format("{} '{}': a place of {} bytes expected, {}", role, value.name, wanted,
                       found == places.end() ? std::string("none given")
                                             : format("{} given", found->second.size())));
  }
  const Shape shape = fixed_shape(value);
  const Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU);
  return Ort::Value::CreateTensor(memory, found->second.data(), wanted, shape.data(), shape.size(),
                                  to_ort(value.dtype));
}

}  // namespace

std::size_t value_bytes(const ValueSpec& value) {
  const Shape shape = fixed_shape(value);
  const auto bits = static_cast<std::size_t>(dtype_bits(value.dtype));
  return (static_cast<std::size_t>(element_count(shape)) * bits + 7) / 8;
}

struct BoundRun::Impl {
  std::string name;
  Ort::Session* session = nullptr;
  Ort::IoBinding binding{nullptr};
};

BoundRun::BoundRun(const Session& session, const Places& inputs, const Places& outputs)
    : impl_(std::make_unique<Impl>()) {
  Session::Impl& model = *session.impl_;
  impl_->name = model.name;
  impl_->session = &model.session;
  impl_->binding = Ort::IoBinding(model.session);
  for (const ValueSpec& input : model.inputs) {
    impl_->binding.BindInput(input.name.c_str(), wrap_place(input, inputs, "input"));
  }
  for (std::size_t i = 0; i < model.outputs.size(); ++i) {
    impl_->binding.BindOutput(model.fetches[model.fetch_index[i]].c_str(),
                              wrap_place(model.outputs[i], outputs, "output"));
  }
}

BoundRun::~BoundRun() = default;
BoundRun::BoundRun(BoundRun&&) noexcept = default;
BoundRun& BoundRun::operator=(BoundRun&&) noexcept = default;

void BoundRun::run() {
  try {
    impl_->session->Run(Ort::RunOptions{nullptr}, impl_->binding);
  } catch (const Ort::Exception& error) {
    throw Error(ErrorCode::kInvalidModel,
                format("{}: inference failed: {}", impl_->name, one_line(error.what())));
  }
}

}  // namespace hexquant::runtime
