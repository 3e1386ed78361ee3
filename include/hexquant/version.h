#pragma once

namespace hexquant {

/// Version of this library, e.g. "0.1.0".
[[nodiscard]] const char* version() noexcept;

}  // namespace hexquant
