#include "runtime/segment_runner.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "core/parallel.h"
#include "graph/subgraph.h"
#include "hexquant/error.h"

namespace hexquant::runtime {
namespace {

/// Held values are the bulk of the memory and live for one step each: pages of their own go back to
/// the system at once, which neither a session's arena nor the heap does.
std::shared_ptr<std::byte> own_pages(std::size_t size_bytes) {
  void* pages =
      ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  return {static_cast<std::byte*>(pages),
          [size_bytes](std::byte* start) { ::munmap(start, size_bytes); }};
}

Tensor compact(const Tensor& tensor) {
  if (tensor.bytes() == 0) return tensor;
  const std::shared_ptr<std::byte> bytes = own_pages(tensor.bytes());
  std::memcpy(bytes.get(), tensor.raw(), tensor.bytes());
  return {tensor.dtype(), tensor.shape(), bytes};
}

Feeds compact(const Feeds& values) {
  Feeds copies;
  for (const auto& [name, tensor] : values) copies.emplace(name, compact(tensor));
  return copies;
}

std::int64_t bytes_of(const Feeds& values) {
  std::int64_t sum_bytes = 0;
  for (const auto& [name, tensor] : values) {
    sum_bytes += static_cast<std::int64_t>(tensor.bytes());
  }
  return sum_bytes;
}

Feeds step(const Segment& segment, const Feeds& before) {
  std::vector<Tensor> results = segment.run(before);
  Feeds after;
  for (std::size_t i = 0; i < results.size(); ++i) {
    after.emplace(segment.values()[i], std::move(results[i]));
  }
  return after;
}

}  // namespace

Segment::Segment(const graph::Graph& graph, const std::vector<std::string>& cut,
                 std::vector<std::string> values, const SessionOptions& options)
    : values_(std::move(values)) {
  std::vector<std::string> computed;
  for (const std::string& value : values_) {
    is_given_.push_back(std::find(cut.begin(), cut.end(), value) != cut.end());
    if (!is_given_.back()) computed.push_back(value);
  }
  if (computed.empty()) return;
  session_ = std::make_shared<const Session>(graph::extract_subgraph(graph, cut, computed), options,
                                             computed);
}

std::vector<Tensor> Segment::run(const Feeds& given) const {
  std::vector<Tensor> computed;
  if (session_) computed = session_->run(given);
  std::vector<Tensor> results;
  std::size_t next = 0;
  for (std::size_t i = 0; i < values_.size(); ++i) {
    results.push_back(is_given_[i] ? given.at(values_[i]) : computed[next++]);
  }
  return results;
}

SegmentRunner::SegmentRunner(const graph::Graph& graph, std::int64_t samples, Load load,
                             std::int64_t max_bytes, int threads)
    : graph_(graph),
      load_(std::move(load)),
      max_bytes_(max_bytes),
      threads_(threads),
      cut_(graph.inputs()),
      held_(static_cast<std::size_t>(samples)) {
  HEXQUANT_CHECK(samples > 0, "a segment runner needs samples");
}

Feeds SegmentRunner::at_cut(std::int64_t sample) const {
  Feeds values = holds_ ? held_[static_cast<std::size_t>(sample)] : load_(sample);
  for (const Segment& segment : pending_) values = step(segment, values);
  return values;
}

void SegmentRunner::visit(
    const std::function<void(std::int64_t sample, const Feeds& at_cut)>& body) const {
  parallel_for(std::ssize(held_), threads_,
               [&](std::int64_t sample) { body(sample, at_cut(sample)); });
}

void SegmentRunner::advance(const std::vector<std::string>& values, const Body& body) {
  const Segment segment(graph_, cut_, values);
  const std::int64_t sample_bytes = bytes_of(step(segment, at_cut(0)));
  const bool fits = sample_bytes * std::ssize(held_) <= max_bytes_;
  if (fits || body) {
    parallel_for(std::ssize(held_), threads_, [&](std::int64_t sample) {
      const Feeds before = at_cut(sample);
      Feeds after = step(segment, before);
      if (body) body(sample, before, after);
      if (fits) held_[static_cast<std::size_t>(sample)] = compact(after);
    });
  }
  if (fits) {
    holds_ = true;
    pending_.clear();
  } else {
    pending_.push_back(segment);
  }
  cut_ = values;
}

}  // namespace hexquant::runtime
