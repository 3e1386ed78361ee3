#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "core/file_io.h"
#include "support/temp_folder.h"

namespace hexquant::report::test {

/// Shows pages in a browser, where one is installed: the other tests cannot run their scripts.
class BrowserTest : public testing::Test {
 protected:
  void SetUp() override {
    browser_ = find_browser();
    if (browser_.empty()) GTEST_SKIP() << "no chromium or google-chrome in PATH";
  }

  /// The page's elements after its scripts ran; empty when the browser does not start here.
  [[nodiscard]] std::string drawn(const std::string& html) const {
    write_file(folder_.path() / "page.html", html);
    const std::string command = "cd '" + folder_.path().string() + "' && HOME=. timeout 60 " +
                                browser_ +
                                " --headless --no-sandbox --disable-gpu --no-first-run"
                                " --disable-background-networking --disable-component-update"
                                " --disable-sync --user-data-dir=profile --dump-dom"
                                " file://" +
                                (folder_.path() / "page.html").string() + " > dom.html 2> log.txt";
    if (std::system(command.c_str()) != 0) return {};
    return read_file(folder_.path() / "dom.html");
  }

 private:
  static std::string find_browser() {
    for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
      const std::string command = std::string("command -v ") + name + " > /dev/null 2>&1";
      if (std::system(command.c_str()) == 0) return name;
    }
    return {};
  }

  std::string browser_;
  hexquant::test::TempFolder folder_;
};

}  // namespace hexquant::report::test
