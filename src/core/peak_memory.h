#pragma once

#include <cstdint>

namespace hexquant {

/// Largest resident size of this process so far, bytes.
[[nodiscard]] std::int64_t peak_memory_bytes();

}  // namespace hexquant
