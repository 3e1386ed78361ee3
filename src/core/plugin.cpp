#include "core/plugin.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> plugin_folders() {
  const char* given = std::getenv("HEXQUANT_PLUGIN_DIR");
  if (given != nullptr && *given != '\0') return {given};
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  return {HEXQUANT_PLUGIN_INSTALL_DIR, program.parent_path() / "lib" / "hexquant", program};
}

}  // namespace

// A name without a slash would be looked for in the system's folders.
SharedLibrary::SharedLibrary(const fs::path& file)
    : handle_(::dlopen(fs::absolute(file).c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (handle_ == nullptr) problem_ = ::dlerror();
}

void* SharedLibrary::symbol(const std::string& name) const noexcept {
  return handle_ == nullptr ? nullptr : ::dlsym(handle_, name.c_str());
}

void* plugin_symbol(const std::string& name, const std::string& symbol, const std::string& remedy) {
  const std::string file = "lib" + name + ".so";
  std::error_code ignored;
  for (const fs::path& folder : plugin_folders()) {
    const fs::path library = folder / file;
    if (!fs::is_regular_file(library, ignored)) continue;
    const SharedLibrary loaded(library);
    if (!loaded.problem().empty()) {
      throw Error(ErrorCode::kMissingComponent, format("{}; {}", loaded.problem(), remedy));
    }
    void* address = loaded.symbol(symbol);
    HEXQUANT_CHECK(address != nullptr, format("{} has no symbol '{}'", library.string(), symbol));
    return address;
  }
  throw Error(ErrorCode::kMissingComponent, format("{} is not there; {}", file, remedy));
}

}  // namespace hexquant
