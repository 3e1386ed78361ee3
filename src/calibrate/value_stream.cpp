#include "calibrate/value_stream.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/format.h"
#include "core/parallel.h"
#include "graph/subgraph.h"
#include "hexquant/error.h"
#include "runtime/session.h"

namespace hexquant::calibrate {
namespace {

/// Dimensions in which the two differ become free; another rank makes the shape unknown.
void widen(graph::ValueType& type, const Shape& shape) {
  if (!type.shape) return;
  if (type.shape->size() != shape.size()) {
    type.shape.reset();
    return;
  }
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if ((*type.shape)[i].value != shape[i]) (*type.shape)[i] = graph::Dim{};
  }
}

}  // namespace

/// The session that computes what is not held, and where each value comes from.
struct ValueStream::Reader::Impl {
  const ValueStream& stream;
  std::vector<std::string> values;
  std::vector<std::string> computed;
  std::unique_ptr<runtime::Session> session;

  [[nodiscard]] std::vector<Tensor> compute(const Values& held) const {
    std::vector<Tensor> fresh;
    if (session) {
      runtime::Feeds feeds;
      for (const runtime::ValueSpec& input : session->inputs()) {
        feeds.emplace(input.name, held.at(input.name));
      }
      fresh = session->run(feeds);
    }
    std::vector<Tensor> results;
    std::size_t next = 0;
    for (const std::string& value : values) {
      const auto found = held.find(value);
      results.push_back(found != held.end() ? found->second : fresh.at(next++));
    }
    return results;
  }
};

ValueStream::Reader::Reader(const ValueStream& stream, const graph::Graph& graph,
                            std::vector<std::string> values)
    : impl_(std::make_unique<Impl>(Impl{stream, std::move(values), {}, nullptr})) {
  const auto types = stream.held_types();
  for (const std::string& value : impl_->values) {
    if (!types.contains(value)) impl_->computed.push_back(value);
  }
  if (impl_->computed.empty()) return;
  // Q/DQ pairs stay as they are: the weights are float, so there is nothing to fuse with.
  impl_->session = std::make_unique<runtime::Session>(
      graph::extract_typed_subgraph(graph, types, impl_->computed),
      runtime::SessionOptions{.integer_kernels = false}, impl_->computed);
}

ValueStream::Reader::~Reader() = default;

void ValueStream::Reader::read(std::int64_t first, std::int64_t last, const Body& body) const {
  parallel_for(last - first, impl_->stream.threads_, [&](std::int64_t i) {
    const std::int64_t sample = first + i;
    body(sample, impl_->compute(impl_->stream.held_[static_cast<std::size_t>(sample)]));
  });
}

ValueStream::ValueStream(const data::Dataset& dataset, std::int64_t samples, int threads)
    : held_(static_cast<std::size_t>(std::min(samples, dataset.size()))), threads_(threads) {
  HEXQUANT_CHECK(!held_.empty(), "a value stream needs samples");
  parallel_for(this->samples(), threads_,
               [&](std::int64_t i) { held_[static_cast<std::size_t>(i)] = dataset.load(i); });
}

void ValueStream::advance(const graph::Graph& graph, const std::vector<std::string>& values) {
  const Reader reader(*this, graph, values);
  reader.read(0, samples(), [&](std::int64_t sample, const std::vector<Tensor>& results) {
    Values next;
    for (std::size_t i = 0; i < values.size(); ++i) next.emplace(values[i], results[i]);
    held_[static_cast<std::size_t>(sample)] = std::move(next);
  });
}

std::int64_t ValueStream::held_bytes() const noexcept {
  std::int64_t total_bytes = 0;
  for (const Values& values : held_) {
    for (const auto& [name, tensor] : values) {
      total_bytes += static_cast<std::int64_t>(tensor.bytes());
    }
  }
  return total_bytes;
}

std::map<std::string, graph::ValueType> ValueStream::held_types() const {
  std::map<std::string, graph::ValueType> types;
  for (const auto& [name, tensor] : held_.front()) types[name] = graph::type_of(tensor);
  for (const Values& values : held_) {
    for (const auto& [name, tensor] : values) widen(types[name], tensor.shape());
  }
  return types;
}

}  // namespace hexquant::calibrate
