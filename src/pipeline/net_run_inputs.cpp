#include "pipeline/net_run_inputs.h"

#include <cstring>
#include <utility>
#include <vector>

#include "core/format.h"
#include "hexquant/error.h"
#include "pipeline/optimize_samples.h"
#include "pipeline/quantize_pipeline.h"

namespace hexquant::pipeline {
namespace {

/// Sets up to this size together stay in memory, so that reading them is no part of a long run.
constexpr std::size_t kKeptBytes = std::size_t{256} << 20;

void check_free_batch(const graph::Graph& graph, std::int64_t batch_multiplier) {
  if (batch_multiplier < 1) {
    throw Error(ErrorCode::kInvalidArgument,
                format("--batch_multiplier {}: expected 1 or more", batch_multiplier));
  }
  if (batch_multiplier == 1) return;
  for (const std::string& input : graph.inputs()) {
    const graph::ValueType* type = graph.find_type(input);
    const bool is_free =
        type != nullptr && type->shape && !type->shape->empty() && !type->shape->front().is_fixed();
    if (!is_free) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("--batch_multiplier {}: the first dimension of input '{}' is fixed",
                         batch_multiplier, input));
    }
  }
}

}  // namespace

Tensor concatenate_rows(const std::vector<Tensor>& parts) {
  Shape shape = parts.front().shape();
  shape.front() = 0;
  for (const Tensor& part : parts) shape.front() += part.shape().front();
  Tensor joined(parts.front().dtype(), shape);
  std::byte* out = joined.mutable_raw();
  for (const Tensor& part : parts) {
    std::memcpy(out, part.raw(), part.bytes());
    out += part.bytes();
  }
  return joined;
}

std::size_t feeds_bytes(const runtime::Feeds& feeds) {
  std::size_t bytes = 0;
  for (const auto& [name, tensor] : feeds) bytes += tensor.bytes();
  return bytes;
}

NetRunInputs::NetRunInputs(const graph::Graph& graph, const std::string& input_list,
                           bool native_files, std::int64_t batch_multiplier, std::uint64_t seed)
    : batch_multiplier_(batch_multiplier) {
  check_free_batch(graph, batch_multiplier);
  if (input_list.empty()) {
    std::vector<runtime::Feeds> samples =
        random_samples(graph, batch_multiplier, seed, std::nullopt);
    runtime::Feeds& feeds = kept_[0];
    for (const auto& [name, tensor] : samples.front()) {
      std::vector<Tensor> parts;
      for (const runtime::Feeds& sample : samples) parts.push_back(sample.at(name));
      feeds.emplace(name, parts.size() == 1 ? tensor : concatenate_rows(parts));
    }
    return;
  }
  data::DataOptions options;
  options.sources = {input_list};
  options.samples = 0;
  options.native_input_files = native_files;
  data_ = data::open_dataset(options, model_inputs(graph));
  if (data_->size() < batch_multiplier) {
    throw Error(ErrorCode::kInvalidArgument, format("--batch_multiplier {}: {} has {} inferences",
                                                    batch_multiplier, input_list, data_->size()));
  }
}

std::int64_t NetRunInputs::sets() const {
  return data_ == nullptr ? 1 : data_->size() / batch_multiplier_;
}

const runtime::Feeds& NetRunInputs::load(std::int64_t set) {
  const auto found = kept_.find(set);
  if (found != kept_.end()) return found->second;
  runtime::Feeds feeds = read(set);
  const std::size_t bytes = feeds_bytes(feeds);
  if (kept_bytes_ + bytes <= kKeptBytes) {
    kept_bytes_ += bytes;
    return kept_[set] = std::move(feeds);
  }
  return last_ = std::move(feeds);
}

runtime::Feeds NetRunInputs::read(std::int64_t set) const {
  std::map<std::string, std::vector<Tensor>> parts;
  for (std::int64_t i = 0; i < batch_multiplier_; ++i) {
    for (auto& [name, tensor] : data_->load(set * batch_multiplier_ + i)) {
      parts[name].push_back(std::move(tensor));
    }
  }
  runtime::Feeds feeds;
  for (auto& [name, tensors] : parts) {
    feeds[name] = tensors.size() == 1 ? std::move(tensors.front()) : concatenate_rows(tensors);
  }
  return feeds;
}

}  // namespace hexquant::pipeline
