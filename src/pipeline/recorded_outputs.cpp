#include "pipeline/recorded_outputs.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/file_io.h"
#include "core/format.h"
#include "hexquant/error.h"
#include "passes/infer_shapes.h"
#include "pipeline/htp_model.h"
#include "pipeline/raw_outputs.h"

namespace hexquant::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFloatEnding = ".raw";
constexpr const char* kNativeEnding = "_native.raw";

std::size_t native_size(const Shape& shape, DType dtype) {
  return (static_cast<std::size_t>(element_count(shape)) *
              static_cast<std::size_t>(dtype_bits(dtype)) +
          7) /
         8;
}

/// float32 values as a tensor of another type.
template <typename T>
Tensor converted(const Shape& shape, const std::vector<float>& values) {
  std::vector<T> out;
  for (const float value : values) out.push_back(static_cast<T>(value));
  return Tensor::from<T>(shape, out);
}

Tensor from_floats(const Shape& shape, DType dtype, const std::vector<float>& values) {
  switch (dtype) {
    case DType::kInt64:
      return converted<std::int64_t>(shape, values);
    case DType::kInt32:
      return converted<std::int32_t>(shape, values);
    case DType::kUInt8:
      return converted<std::uint8_t>(shape, values);
    case DType::kInt8:
      return converted<std::int8_t>(shape, values);
    default:
      return Tensor::from<float>(shape, values);
  }
}

class RecordedSession final : public runtime::InferenceSession {
 public:
  RecordedSession(const RecordedOutputs& recorded, const std::vector<std::string>& outputs)
      : recorded_(recorded) {
    for (const std::string& name : recorded.model().inputs()) inputs_.push_back(spec(name));
    for (const std::string& name : outputs) outputs_.push_back(spec(name));
  }
  [[nodiscard]] const std::vector<runtime::ValueSpec>& inputs() const noexcept override {
    return inputs_;
  }
  [[nodiscard]] const std::vector<runtime::ValueSpec>& outputs() const noexcept override {
    return outputs_;
  }
  [[nodiscard]] std::vector<Tensor> run(const runtime::Feeds& feeds) const override {
    const std::int64_t sample = recorded_.sample_of(feeds);
    std::vector<Tensor> tensors;
    for (const runtime::ValueSpec& output : outputs_) {
      tensors.push_back(recorded_.read(sample, output.name));
    }
    return tensors;
  }

 private:
  [[nodiscard]] runtime::ValueSpec spec(const std::string& name) const {
    const graph::ValueType* type = recorded_.model().find_type(name);
    if (type == nullptr) return {name, DType::kUndefined, {}};
    return {name, type->dtype, type->shape.value_or(std::vector<graph::Dim>())};
  }

  const RecordedOutputs& recorded_;
  std::vector<runtime::ValueSpec> inputs_;
  std::vector<runtime::ValueSpec> outputs_;
};

}  // namespace

RecordedOutputs::RecordedOutputs(fs::path folder, graph::Graph model, const data::Dataset& data)
    : folder_(std::move(folder)), model_(std::move(model)) {
  std::error_code ignored;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const fs::path result = folder_ / format("Result_{}", i);
    if (!fs::is_directory(result, ignored)) {
      throw Error(
          ErrorCode::kInvalidData,
          format("{}: no such folder; {} samples need Result_0 to Result_{}, as qnn-net-run "
                 "writes them",
                 result.string(), data.size(), data.size() - 1));
    }
    samples_.emplace(data::sample_digest(data.load(i)), i);
  }
  fix_dimensions(model_, shapes_of(data.load(0)));
  (void)passes::infer_shapes(model_, {});
  const auto is_recorded = [&](const std::string& value) {
    return fs::is_regular_file(file_of(0, value, kFloatEnding), ignored) ||
           fs::is_regular_file(file_of(0, value, kNativeEnding), ignored);
  };
  for (const graph::Node& node : model_.nodes()) {
    for (const std::string& output : node.outputs()) {
      if (!output.empty() && is_recorded(output)) values_.push_back(output);
    }
  }
}

fs::path RecordedOutputs::file_of(std::int64_t sample, const std::string& value,
                                  const char* ending) const {
  return folder_ / format("Result_{}", sample) / (raw_file_stem(value) + ending);
}

std::unique_ptr<runtime::InferenceSession> RecordedOutputs::open(
    const std::vector<std::string>& outputs) const {
  const std::vector<std::string>& wanted = outputs.empty() ? model_.outputs() : outputs;
  for (const std::string& value : wanted) {
    if (std::find(values_.begin(), values_.end(), value) != values_.end()) continue;
    throw Error(ErrorCode::kInvalidData, format("{}: no such file, which would hold '{}'",
                                                file_of(0, value, kFloatEnding).string(), value));
  }
  return std::make_unique<RecordedSession>(*this, wanted);
}

std::int64_t RecordedOutputs::sample_of(const runtime::Feeds& feeds) const {
  const auto found = samples_.find(data::sample_digest(feeds));
  if (found == samples_.end()) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: nothing was recorded for these inputs", folder_.string()));
  }
  return found->second;
}

Tensor RecordedOutputs::read(std::int64_t sample, const std::string& value) const {
  const graph::ValueType* type = model_.find_type(value);
  const std::optional<Shape> shape = type == nullptr ? std::nullopt : type->fixed_shape();
  if (!shape) {
    throw Error(ErrorCode::kInvalidData,
                format("'{}': its shape is not known, so that its file cannot be read", value));
  }
  const auto elements = static_cast<std::size_t>(element_count(*shape));
  const fs::path file = file_of(sample, value, kFloatEnding);
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) {
    const fs::path native = file_of(sample, value, kNativeEnding);
    const std::string bytes = read_file(native);
    if (bytes.size() != native_size(*shape, type->dtype)) {
      throw Error(
          ErrorCode::kInvalidData,
          format("{}: {} bytes, expected {} of {}{}", native.string(), bytes.size(),
                 native_size(*shape, type->dtype), dtype_name(type->dtype), shape_text(*shape)));
    }
    Tensor tensor(type->dtype, *shape);
    std::memcpy(tensor.mutable_raw(), bytes.data(), bytes.size());
    return tensor;
  }
  const std::string bytes = read_file(file);
  if (bytes.size() != elements * sizeof(float)) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: {} bytes, expected {} of float32{}", file.string(), bytes.size(),
                       elements * sizeof(float), shape_text(*shape)));
  }
  std::vector<float> values(elements);
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return from_floats(*shape, type->dtype, values);
}

}  // namespace hexquant::pipeline
