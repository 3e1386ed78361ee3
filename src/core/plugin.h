#pragma once

#include <filesystem>
#include <string>

namespace hexquant {

/// A shared library. It stays loaded until the process ends.
class SharedLibrary {
 public:
  /// Loads exactly this file; see problem().
  explicit SharedLibrary(const std::filesystem::path& file);

  /// Why it could not be loaded, in the system's words; empty when it is.
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
  /// Null when the library has no such symbol, or is not loaded.
  [[nodiscard]] void* symbol(const std::string& name) const noexcept;

 private:
  void* handle_ = nullptr;
  std::string problem_;
};

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
