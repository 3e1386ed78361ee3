#include "runtime/tap_op.h"

namespace hexquant::runtime {
namespace {

/// ONNX Runtime runs a single-threaded session on the thread that calls Run.
thread_local TapScope* current_scope = nullptr;

OrtStatusPtr failure(const char* message) {
  return Ort::GetApi().CreateStatus(ORT_FAIL, message);
}

}  // namespace

TapScope::TapScope(const TapCallback& callback) : callback_(callback), outer_(current_scope) {
  current_scope = this;
}

TapScope::~TapScope() {
  current_scope = outer_;
}

void TapScope::rethrow() const {
  if (exception_) std::rethrow_exception(exception_);
}

struct TapKernel {
  std::size_t index;

  OrtStatusPtr ComputeV2(OrtKernelContext* raw_context) noexcept {
    if (current_scope == nullptr) return failure("a tap ran outside of a TapScope");
    try {
      const Ort::KernelContext context(raw_context);
      current_scope->callback_(index, context.GetInput(0));
      const std::int64_t one = 1;
      *context.GetOutput(0, &one, 1).GetTensorMutableData<std::int32_t>() = 0;
      return nullptr;
    } catch (...) {
      // Exceptions do not cross the C interface: run() throws this one on.
      current_scope->exception_ = std::current_exception();
      return failure("a tap failed");
    }
  }
};

namespace {

struct TapOp : Ort::CustomOpBase<TapOp, TapKernel, true> {
  OrtStatusPtr CreateKernelV2(const OrtApi&, const OrtKernelInfo* raw_info, void** kernel) const {
    try {
      const Ort::ConstKernelInfo info(raw_info);
      const auto index = info.GetAttribute<std::int64_t>("index");
      *kernel = new TapKernel{static_cast<std::size_t>(index)};  // ONNX Runtime deletes it
      return nullptr;
    } catch (const Ort::Exception& error) {
      return failure(error.what());
    }
  }
  const char* GetName() const { return kTapOp; }
  std::size_t GetInputTypeCount() const { return 2; }
  ONNXTensorElementDataType GetInputType(std::size_t index) const {
    return index == 0 ? ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED
                      : ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
  }
  std::size_t GetOutputTypeCount() const { return 1; }
  ONNXTensorElementDataType GetOutputType(std::size_t) const {
    return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
  }
};

}  // namespace

OrtCustomOpDomain* tap_domain() {
  static const TapOp op;
  static const Ort::CustomOpDomain domain = [] {
    Ort::CustomOpDomain created(kTapDomain);
    created.Add(&op);
    return created;
  }();
  return domain;
}

}  // namespace hexquant::runtime
