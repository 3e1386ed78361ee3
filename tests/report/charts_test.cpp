#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "report/browser_testing.h"
#include "report/optimize_html.h"
#include "report/page.h"
#include "report/report_testing.h"

namespace hexquant::report::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// Three points, and a script that draws them.
Page three_points() {
  return {.title = "points",
          .script = R"(
    page.append(element("h1", {}, "Points"));
    const points = data.points.map(([x, y]) => ({ x, y }));
    page.append(chart({ label: "Three points", height: 200,
      x: { domain: [0, 10], orient: "bottom" }, y: { domain: [0, 1], orient: "left" },
      layers: [layer("symbol", points, { x: "x", y: "y", fill: ink("s3"), size: { value: 80 } })],
      items: points, at: ({ x, y }) => [x, y], text: ({ x, y }) => `at ${x} it is ${y}`,
      go: ({ x }) => { document.body.dataset.chosen = x; },
      columns: ["x", "y"], cells: ({ x, y }) => [String(x), String(y)] })); )",
          .data = {{"points", {{1, 0.25}, {5, 0.5}, {9, 0.75}}}},
          .has_charts = true};
}

/// The page of a report as a program without the library writes it.
std::string without_library(std::string html) {
  const auto at = html.find(kVegaJs);
  EXPECT_NE(at, std::string::npos);
  return html.erase(at, kVegaJs.size());
}

class Charts : public BrowserTest {
 protected:
  void SetUp() override {
    BrowserTest::SetUp();
    if (kVegaJs.empty()) GTEST_SKIP() << "built without the chart library";
  }
};

TEST_F(Charts, AreDrawnByTheLibrary) {
  const std::string page = drawn(html_page(three_points()));
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  EXPECT_EQ(occurrences(page, "class=\"marks\""), 1U);
  EXPECT_EQ(marks_in(page, "symbol"), 3U);
  EXPECT_THAT(page, HasSubstr("role=\"graphics-document\" aria-label=\"Three points\""));
}

TEST_F(Charts, TellTheValueUnderThePointer) {
  // Over the middle of the second mark, over nothing, then a click on the third.
  const std::string probe = std::string(kDrawCharts) + R"(
    const slot = document.querySelector('.slot'), marks = [...slot.querySelectorAll('.mark-symbol path')];
    const send = (kind, x, y) => slot.dispatchEvent(new MouseEvent(kind, { clientX: x, clientY: y, bubbles: true }));
    const over = (kind, node) => { const box = node.getBoundingClientRect(); send(kind, box.left + box.width / 2, box.top + box.height / 2); };
    over('mousemove', marks[1]);
    await [...views.values()][0].view.runAsync();
    document.body.dataset.tip = tip.hidden ? 'none' : tip.textContent;
    document.body.dataset.rings = slot.querySelectorAll('.cursor path').length;
    send('mousemove', marks[1].getBoundingClientRect().left + 60, marks[1].getBoundingClientRect().top);
    document.body.dataset.beside = tip.hidden ? 'none' : tip.textContent;
    over('click', marks[2]);
  )";
  const std::string page = drawn(html_page(three_points()), probe);
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  EXPECT_THAT(page, HasSubstr("data-tip=\"at 5 it is 0.5\""));
  EXPECT_THAT(page, HasSubstr("data-rings=\"1\""));
  EXPECT_THAT(page, HasSubstr("data-beside=\"none\""));
  EXPECT_THAT(page, HasSubstr("data-chosen=\"9\""));
}

TEST_F(Charts, AreReadByKeyboard) {
  const std::string probe = R"(
    const slot = document.querySelector('.slot'), said = [];
    slot.focus(); // draws what was not yet looked at
    for (const key of ['ArrowRight', 'ArrowRight', 'ArrowLeft', 'End', 'Enter', 'Escape']) {
      slot.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
      said.push(tip.hidden ? 'none' : tip.textContent);
    }
    document.body.dataset.said = said.join('; ');
    document.querySelector('details.data').open = true;
    await new Promise((done) => document.querySelector('details.data').addEventListener('toggle', done));
  )";
  const std::string page = drawn(html_page(three_points()), probe);
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  EXPECT_THAT(page, HasSubstr("data-said=\"at 1 it is 0.25; at 5 it is 0.5; at 1 it is 0.25; "
                              "at 9 it is 0.75; at 9 it is 0.75; none\""));
  EXPECT_THAT(page, HasSubstr("data-chosen=\"9\""));
  EXPECT_THAT(page, HasSubstr("<tr><td>5</td><td>0.5</td></tr>"));
}

TEST_F(Charts, AreDrawnWhenTheyComeNearTheScreenOrBeforePrinting) {
  const std::string probe = R"(
    const drawings = () => document.querySelectorAll('svg.marks').length;
    document.body.dataset.atFirst = drawings();
    drawWaiting(innerHeight + 400);
    document.body.dataset.near = drawings();
    dispatchEvent(new Event('beforeprint'));
    document.body.dataset.printed = drawings();
    document.body.dataset.slots = document.querySelectorAll('.slot').length;
  )";
  const std::string page = drawn(report_html(full_report(), kHeader), probe);
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  const auto number = [&](const std::string& name) {
    return std::stoi(page.substr(page.find("data-" + name + "=\"") + name.size() + 7));
  };
  EXPECT_EQ(number("at-first"), 0);
  EXPECT_LT(number("near"), number("slots"));
  EXPECT_EQ(number("printed"), number("slots"));
  EXPECT_EQ(number("slots"), 9);
}

/// The page's observers of sizes, which the test calls itself: a browser without a window makes a
/// frame when it likes, and may have written the page before.
constexpr const char* kObserved = R"(<script>
  const observers = [];
  window.ResizeObserver = class {
    constructor(call) { this.call = call; this.slots = []; observers.push(this); }
    observe(slot) { this.slots.push(slot); }
    unobserve() {}
    disconnect() {}
    resized() { this.call(this.slots.map((target) => ({ target }))); }
  };
</script>)";

TEST_F(Charts, FollowTheWindow) {
  const std::string probe = std::string(kDrawCharts) + R"(
    const slot = document.querySelector('.slot'), width = () => Number(slot.querySelector('svg').getAttribute('width'));
    document.body.dataset.wide = width();
    document.getElementById('page').style.width = '500px';
    observers.forEach((observer) => observer.resized());
    await [...views.values()][0].view.runAsync();
    document.body.dataset.narrow = slot.clientWidth < 500 && width() === slot.clientWidth;
  )";
  std::string html = html_page(three_points());
  html.insert(html.find("<head>") + 6, kObserved);
  const std::string page = drawn(html, probe);
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  EXPECT_THAT(page, HasSubstr("data-wide=\"1200\""));
  EXPECT_THAT(page, HasSubstr("data-narrow=\"true\""));
}

TEST_F(Charts, OfAReportHaveAMarkForEachRow) {
  const std::string page = drawn(report_html(full_report(), kHeader));
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  EXPECT_EQ(marks_in(section_of(page, "layers"), "rect"), 2U);
  EXPECT_EQ(marks_in(section_of(page, "sensitivity"), "rect"), 2U);
  EXPECT_EQ(marks_in(section_of(page, "roofline"), "symbol"), 1U);
  EXPECT_EQ(marks_in(section_of(page, "activations"), "rect"), 5U);  // four bins and the range
  EXPECT_EQ(marks_in(section_of(page, "rounding"), "symbol"), 5U);   // four steps; one and exact
  EXPECT_EQ(occurrences(section_of(page, "training"), "class=\"marks\""), 2U);
  EXPECT_EQ(marks_in(section_of(page, "timeline"), "area"), 1U);
  EXPECT_THAT(section_of(page, "layers"), HasSubstr(">input</text>"));
}

/// Each power of ten by its own name: with one prefix for all of them the small ones read "0k".
TEST_F(Charts, OfHistogramsNameEachPowerOfTen) {
  Page page = three_points();
  page.script = R"(page.append(element("h1", {}, "Histogram"), histogramChart({ ...data.row,
    histogram: { lower: 0, width: 1, counts: [20000, 150, 3] } })); )";
  page.data = {{"row",
                {{"range_min", 0.0},
                 {"range_max", 3.0},
                 {"observed_min", 0.0},
                 {"observed_max", 3.0},
                 {"clipped_fraction", 0.0}}}};
  const std::string html = drawn(html_page(page));
  if (html.empty()) GTEST_SKIP() << "the browser does not start here";
  EXPECT_THAT(html, HasSubstr(">10k</text>"));
  EXPECT_THAT(html, HasSubstr(">100</text>"));
  EXPECT_THAT(html, Not(HasSubstr(">0k</text>")));
}

TEST_F(Charts, HaveTheThemesColoursOnly) {
  const std::string probe = std::string(kDrawCharts) + R"(
    const colours = new Set();
    for (const node of document.querySelectorAll('svg.marks *')) {
      for (const name of ['fill', 'stroke']) if (node.hasAttribute(name)) colours.add(node.getAttribute(name));
    }
    document.body.dataset.others = [...colours].filter((text) => !/^(var\(--[a-z0-9-]+\)|none|transparent)$/.test(text)).join(' ') || 'none';
    document.body.dataset.colours = colours.size;
  )";
  const std::string page = drawn(report_html(full_report(), kHeader), probe);
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  EXPECT_THAT(page, HasSubstr("data-others=\"none\""));
  EXPECT_THAT(page, Not(HasSubstr("data-colours=\"0\"")));
}

TEST(ChartLibrary, IsPartOfPagesWithChartsOnly) {
  if (kVegaJs.empty()) GTEST_SKIP() << "built without the chart library";
  const std::string library(kVegaJs);
  Page page = three_points();
  EXPECT_EQ(occurrences(html_page(page), library), 1U);
  page.has_charts = false;
  EXPECT_EQ(occurrences(html_page(page), library), 0U);
  EXPECT_EQ(occurrences(library, "Copyright (c) 2015-2021, University of Washington"), 1U);
}

using ChartTables = BrowserTest;

TEST_F(ChartTables, StandForChartsWhereTheLibraryIsMissing) {
  const std::string page = drawn(html_page(three_points(), ""));
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  EXPECT_THAT(page, Not(HasSubstr("<svg xmlns")));
  EXPECT_THAT(page, HasSubstr("built without the chart library"));
  EXPECT_THAT(page, HasSubstr("aria-label=\"Three points\""));
  EXPECT_THAT(page, HasSubstr("<tr><td>9</td><td>0.75</td></tr>"));
}

TEST_F(ChartTables, HoldTheNumbersOfEverySectionOfAReport) {
  std::string html = report_html(full_report(), kHeader);
  if (!kVegaJs.empty()) html = without_library(std::move(html));
  const std::string page = drawn(html);
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  EXPECT_THAT(section_of(page, "layers"), HasSubstr("<tr><td>conv</td><td>28.0</td></tr>"));
  EXPECT_THAT(section_of(page, "pareto"), HasSubstr("<td>odd</td><td>12.0</td><td>0.88</td>"));
  EXPECT_THAT(section_of(page, "roofline"), HasSubstr("<td>conv</td><td>compute</td>"));
  EXPECT_THAT(section_of(page, "activations"), HasSubstr("<tr><td>0.5</td><td>1</td><td>4</td>"));
  EXPECT_THAT(section_of(page, "training"), HasSubstr("<tr><td>1</td><td>0.4</td></tr>"));
}

}  // namespace
}  // namespace hexquant::report::test
