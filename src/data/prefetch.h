#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "data/dataset.h"

namespace hexquant::data {

/// Reads samples [begin, end) of a dataset in order, loading ahead on a thread of its own.
///
/// At most `depth` samples wait in memory. The destructor may run at any time: it waits only for
/// the sample that is being loaded.
class PrefetchReader {
 public:
  /// @param dataset  must outlive the reader
  /// @param depth    >= 1
  PrefetchReader(const Dataset& dataset, std::int64_t begin, std::int64_t end, int depth);
  ~PrefetchReader();
  PrefetchReader(const PrefetchReader&) = delete;
  PrefetchReader& operator=(const PrefetchReader&) = delete;

  /// The next sample, or nothing behind the last. One caller at a time.
  /// @throws what Dataset::load threw, in its place; nothing follows an error
  [[nodiscard]] std::optional<Sample> next();

 private:
  void run(std::int64_t begin, std::int64_t end);

  const Dataset& dataset_;
  std::size_t depth_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Sample> ready_;
  std::exception_ptr error_;
  bool finished_ = false;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace hexquant::data
