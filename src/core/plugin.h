#pragma once

#include <string>

namespace hexquant {

/// Entry point of a library of this project that is loaded only when it is needed.
///
/// The library `lib<name>.so` is looked for where the variable HEXQUANT_PLUGIN_DIR says, else in
/// lib/hexquant of the installed program and beside the program as it is built. It stays loaded.
/// @param remedy  what the user can do about an absent library, for the message
/// @return address of `symbol`; never null
/// @throws Error(kMissingComponent) when the library is not there or cannot be loaded;
///         Error(kInternal) when it has no such symbol
[[nodiscard]] void* plugin_symbol(const std::string& name, const std::string& symbol,
                                  const std::string& remedy);

}  // namespace hexquant
