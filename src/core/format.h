#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

// The only header that knows fmt (g++ 12 has no std::format).
namespace hexquant {

using fmt::format;
using fmt::join;

}  // namespace hexquant
