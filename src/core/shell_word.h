#pragma once

#include <string>

namespace hexquant {

/// A word as a POSIX shell has to be given it: as it is where nothing in it has a meaning there,
/// else between single quotes.
[[nodiscard]] std::string shell_word(const std::string& word);

}  // namespace hexquant
