#include "data/prefetch.h"

#include <utility>

#include "hexquant/error.h"

namespace hexquant::data {

PrefetchReader::PrefetchReader(const Dataset& dataset, std::int64_t begin, std::int64_t end,
                               int depth)
    : dataset_(dataset), depth_(static_cast<std::size_t>(depth)) {
  HEXQUANT_CHECK(depth >= 1, "prefetch depth must be at least 1");
  HEXQUANT_CHECK(begin >= 0 && begin <= end && end <= dataset.size(),
                 "prefetched samples must lie inside the dataset");
  thread_ = std::thread([this, begin, end] { run(begin, end); });
}

PrefetchReader::~PrefetchReader() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void PrefetchReader::run(std::int64_t begin, std::int64_t end) {
  std::exception_ptr error;
  try {
    for (std::int64_t index = begin; index < end; ++index) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stopped_ || ready_.size() < depth_; });
        if (stopped_) return;
      }
      Sample sample = dataset_.load(index);
      const std::lock_guard lock(mutex_);
      ready_.push_back(std::move(sample));
      changed_.notify_all();
    }
  } catch (...) {
    error = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  error_ = error;
  finished_ = true;
  changed_.notify_all();
}

std::optional<Sample> PrefetchReader::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return finished_ || !ready_.empty(); });
  if (!ready_.empty()) {
    Sample sample = std::move(ready_.front());
    ready_.pop_front();
    changed_.notify_all();
    return sample;
  }
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  return std::nullopt;
}

}  // namespace hexquant::data
