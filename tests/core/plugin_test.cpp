#include "core/plugin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "hexquant/error.h"
#include "support/temp_folder.h"

namespace hexquant {
namespace {

using ::testing::HasSubstr;

/// Plug-ins are looked for in `folder` alone.
class PluginFolder {
 public:
  explicit PluginFolder(const std::string& folder) {
    setenv("HEXQUANT_PLUGIN_DIR", folder.c_str(), 1);
  }
  ~PluginFolder() { unsetenv("HEXQUANT_PLUGIN_DIR"); }
  PluginFolder(const PluginFolder&) = delete;
  PluginFolder& operator=(const PluginFolder&) = delete;
};

std::string failure(const std::string& name) {
  try {
    static_cast<void>(plugin_symbol(name, "entry", "install it"));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kMissingComponent);
    return error.what();
  }
  return "no failure";
}

TEST(Plugin, AnAbsentLibraryIsNamedWithItsRemedy) {
  const test::TempFolder folder;
  const PluginFolder there(folder.path().string());
  EXPECT_EQ(failure("hexquant_nothing"), "libhexquant_nothing.so is not there; install it");
}

TEST(Plugin, ALibraryThatCannotBeLoadedSaysWhy) {
  const test::TempFolder folder;
  std::ofstream(folder.path() / "libbroken.so") << "not a library";
  const PluginFolder there(folder.path().string());
  EXPECT_THAT(failure("broken"), HasSubstr("libbroken.so"));
  EXPECT_THAT(failure("broken"), HasSubstr("install it"));
}

}  // namespace
}  // namespace hexquant
