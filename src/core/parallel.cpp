#include "core/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

#include "hexquant/error.h"

namespace hexquant {
namespace {

/// The exception of the lowest item index, so that errors do not depend on timing more than needed.
class FirstException {
 public:
  void keep(std::int64_t item, std::exception_ptr exception) {
    const std::lock_guard lock(mutex_);
    if (item < item_) {
      item_ = item;
      exception_ = std::move(exception);
    }
  }
  void rethrow() const {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  std::mutex mutex_;
  std::int64_t item_ = std::numeric_limits<std::int64_t>::max();
  std::exception_ptr exception_;
};

}  // namespace

int hardware_threads() noexcept {
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void parallel_for(std::int64_t count, int threads, const std::function<void(std::int64_t)>& body) {
  HEXQUANT_CHECK(threads >= 1, "number of threads must be at least 1");
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> failed{false};
  FirstException first;
  const auto work = [&] {
    for (std::int64_t i = next.fetch_add(1); i < count && !failed; i = next.fetch_add(1)) {
      try {
        body(i);
      } catch (...) {
        first.keep(i, std::current_exception());
        failed = true;
      }
    }
  };
  const auto helpers = std::min<std::int64_t>(threads, count) - 1;
  std::vector<std::jthread> pool;
  for (std::int64_t i = 0; i < helpers; ++i) pool.emplace_back(work);
  work();
  pool.clear();
  first.rethrow();
}

}  // namespace hexquant
