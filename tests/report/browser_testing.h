#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "core/file_io.h"
#include "support/temp_folder.h"

namespace hexquant::report::test {

/// Draws what waits until it comes near the screen.
inline constexpr const char* kDrawCharts = R"(
  if (typeof drawWaiting === 'function') {
    drawWaiting();
    await Promise.all([...views.values()].map(({ view }) => view.runAsync()));
  }
)";

/// What a screen reader or a keyboard cannot use.
inline constexpr const char* kAccessProbe = R"(
  const problems = [], note = (node, text) => problems.push(text + ': ' + node.outerHTML.slice(0, 90));
  const named = (node) => node.getAttribute('aria-label') || node.textContent.trim() || node.title;
  for (const node of document.querySelectorAll('svg[role], [role=img], [role=graphics-document], canvas, table, input, select, [role=region], [role=group], nav')) {
    if (!node.getAttribute('aria-label')) note(node, 'no label');
  }
  for (const node of document.querySelectorAll('svg:not([role])')) {
    if (!node.closest('[aria-hidden=true], [role=graphics-document]')) note(node, 'a drawing without a role');
  }
  for (const node of document.querySelectorAll('button, a')) if (!named(node)) note(node, 'no text');
  for (const node of document.querySelectorAll('section')) {
    if (!document.getElementById(node.getAttribute('aria-labelledby'))) note(node, 'no heading');
  }
  const titles = [...document.querySelectorAll('h1, h2, h3')].map((node) => Number(node.tagName[1]));
  titles.forEach((level, i) => { if (level > (titles[i - 1] || 0) + 1) problems.push('a heading level is left out: ' + i); });
  const tip = document.getElementById('tip'), plots = [...document.querySelectorAll('[role=graphics-document], canvas')];
  for (const plot of plots) {
    if (plot.tabIndex !== 0) note(plot, 'not reachable by keyboard');
    if (plot.tagName === 'CANVAS') continue;
    tip.textContent = '';
    plot.focus();
    plot.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }));
    if (tip.hidden || !tip.textContent) note(plot, 'arrow keys show nothing');
    plot.blur();
    if (!tip.hidden) note(plot, 'the tooltip stays');
    if (!plot.closest('.chart').querySelector('details')) note(plot, 'no table of the numbers');
  }
  for (const node of document.querySelectorAll('.scroll')) if (node.tabIndex !== 0) note(node, 'scrolls by mouse only');
  for (const node of document.querySelectorAll('script:not([type])')) node.remove(); // leaves what was drawn
  document.body.dataset.plots = plots.length;
  document.body.dataset.problems = problems.length + ' problems. ' + problems.join(' | ');
)";

/// Shows pages in a browser, where one is installed: the other tests cannot run their scripts.
class Browser {
 public:
  [[nodiscard]] bool is_installed() const { return !program_.empty(); }

  /// The page's elements after its scripts ran, without the scripts; empty when the browser does
  /// not start here. Fails the test when the page writes to the console (our scripts write
  /// nothing) or when a keyboard or a screen reader cannot use it.
  /// @param probe  a script that looks at the finished page before its charts were drawn, and may
  /// change it and await promises
  [[nodiscard]] std::string drawn(std::string html, const std::string& probe = "") const {
    // A block for each: their names may be the same.
    html.insert(html.rfind("</body>"), "<script>addEventListener('load', async () => {{" + probe +
                                           "}" + kDrawCharts + "{" + kAccessProbe +
                                           "}});</script>\n");
    write_file(folder_.path() / "page.html", html);
    const std::string command = "cd '" + folder_.path().string() + "' && HOME=. timeout 60 " +
                                program_ +
                                " --headless --no-sandbox --disable-gpu --no-first-run"
                                " --disable-background-networking --disable-component-update"
                                " --disable-sync --user-data-dir=profile"
                                " --window-size=1280,1000 --enable-logging=stderr --dump-dom"
                                " file://" +
                                (folder_.path() / "page.html").string() + " > dom.html 2> log.txt";
    if (std::system(command.c_str()) != 0) return {};
    const std::string log = read_file(folder_.path() / "log.txt");
    const auto written = log.find(":CONSOLE");
    EXPECT_EQ(written, std::string::npos) << log.substr(written, 400);
    std::string page = read_file(folder_.path() / "dom.html");
    expect_accessible(page);
    return page;
  }

 private:
  static void expect_accessible(const std::string& page) {
    constexpr std::size_t kMostShown = 2000;
    const std::string open = "data-problems=\"";
    const auto begin = page.find(open);
    ASSERT_NE(begin, std::string::npos) << "the page's scripts did not finish";
    EXPECT_EQ(page.compare(begin + open.size(), 12, "0 problems. "), 0)
        << page.substr(begin, std::min(page.find('"', begin + open.size()) - begin, kMostShown));
  }
  static std::string find_program() {
    for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
      const std::string command = std::string("command -v ") + name + " > /dev/null 2>&1";
      if (std::system(command.c_str()) == 0) return name;
    }
    return {};
  }

  std::string program_ = find_program();
  hexquant::test::TempFolder folder_;
};

class BrowserTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!browser_.is_installed()) GTEST_SKIP() << "no chromium or google-chrome in PATH";
  }
  [[nodiscard]] std::string drawn(std::string html, const std::string& probe = "") const {
    return browser_.drawn(std::move(html), probe);
  }

 private:
  Browser browser_;
};

/// How often `part` occurs in `text`.
inline std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

/// What lies between `<section id="ID"` and its end; empty when there is none.
inline std::string section_of(const std::string& page, const std::string& id) {
  const auto begin = page.find("<section id=\"" + id + "\"");
  if (begin == std::string::npos) return {};
  return page.substr(begin, page.find("</section>", begin) - begin);
}

/// Paths that Vega drew as marks of a kind ("rect", "symbol"): <path>s of its groups.
inline std::size_t marks_in(const std::string& drawing, const std::string& kind) {
  const std::string open = "<g class=\"mark-" + kind + " role-mark\"";
  std::size_t count = 0;
  for (auto at = drawing.find(open); at != std::string::npos; at = drawing.find(open, at + 1)) {
    count += occurrences(drawing.substr(at, drawing.find("</g>", at) - at), "<path ");
  }
  return count;
}

}  // namespace hexquant::report::test
