#pragma once

#include <cstdint>
#include <functional>

namespace hexquant {

/// Number of hardware threads, at least 1.
[[nodiscard]] int hardware_threads() noexcept;

/// Calls `body(i)` for i in [0, count) on up to `threads` threads; items are handed out in order.
///
/// Which thread runs which item is unspecified, so results that must not depend on the number of
/// threads are stored by item and merged in item order afterwards. The first exception (by item
/// index among those that ran) is rethrown after all workers stopped.
/// @param threads  >= 1; 1 runs everything on the calling thread
void parallel_for(std::int64_t count, int threads, const std::function<void(std::int64_t)>& body);

}  // namespace hexquant
