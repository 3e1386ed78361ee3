#include "core/helper_program.h"

#include <cstdlib>
#include <system_error>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant {
namespace {

namespace fs = std::filesystem;

fs::path expected_place(const std::string& name, const std::string& variable) {
  const char* given = std::getenv(variable.c_str());
  if (given != nullptr && *given != '\0') return given;
  std::error_code ignored;
  const fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  const fs::path installed = folder.parent_path() / "libexec" / "hexquant" / name;
  return fs::exists(installed, ignored) ? installed : folder / name;
}

}  // namespace

fs::path find_helper_program(const std::string& name, const std::string& variable,
                             const std::string& purpose) {
  const fs::path program = expected_place(name, variable);
  std::error_code ignored;
  if (!fs::is_regular_file(program, ignored)) {
    throw Error(ErrorCode::kMissingComponent,
                format("{}: the program that {} is not there; {} can name it", program.string(),
                       purpose, variable));
  }
  return fs::absolute(program);
}

}  // namespace hexquant
