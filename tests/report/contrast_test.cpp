#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "report/assets.h"

// Colours of the pages by the rules of WCAG 2.2: 4.5:1 for text (1.4.3), 3:1 for what carries
// meaning in drawings (1.4.11).
namespace hexquant::report {
namespace {

constexpr double kLeastText = 4.5;
constexpr double kLeastDrawing = 3.0;

using Colours = std::map<std::string, std::string>;

/// The custom properties `--name: #rrggbb` of a block that begins at `begin`.
Colours colours_of(const std::string& css, std::size_t begin) {
  Colours colours;
  const std::string block = css.substr(begin, css.find('}', begin) - begin);
  for (auto at = block.find("--"); at != std::string::npos; at = block.find("--", at + 2)) {
    const auto colon = block.find(':', at);
    const std::string value = block.substr(colon + 2, block.find(';', colon) - colon - 2);
    if (value.front() == '#') colours[block.substr(at + 2, colon - at - 2)] = value;
  }
  return colours;
}

/// Light, dark and printed page; later themes fall back to the first one's colours.
std::vector<std::pair<std::string, Colours>> themes() {
  const std::string css(kPageCss);
  std::vector<std::pair<std::string, Colours>> result = {
      {"light", colours_of(css, css.find(":root"))}};
  for (const auto& [name, media] :
       {std::pair{"dark", "prefers-color-scheme: dark"}, std::pair{"print", "@media print"}}) {
    Colours colours = colours_of(css, css.find(":root", css.find(media)));
    colours.insert(result.front().second.begin(), result.front().second.end());
    result.emplace_back(name, std::move(colours));
  }
  return result;
}

double linear(int channel) {
  const double value = channel / 255.0;
  return value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
}

/// Relative luminance of #rrggbb or #rgb.
double luminance(const std::string& colour) {
  std::array<int, 3> channels{};
  const bool is_short = colour.size() == 4;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string digits =
        is_short ? std::string(2, colour[1 + i]) : colour.substr(1 + 2 * i, 2);
    channels[i] = std::stoi(digits, nullptr, 16);
  }
  return 0.2126 * linear(channels[0]) + 0.7152 * linear(channels[1]) + 0.0722 * linear(channels[2]);
}

double contrast(const std::string& a, const std::string& b) {
  const auto [dark, light] = std::minmax({luminance(a), luminance(b)});
  return (light + 0.05) / (dark + 0.05);
}

TEST(Contrast, IsThatOfTheStandard) {
  EXPECT_DOUBLE_EQ(contrast("#000000", "#ffffff"), 21.0);
  EXPECT_NEAR(contrast("#777", "#ffffff"), 4.48, 0.005);  // the well-known grey that just fails
}

void expect_contrast(const std::vector<std::pair<std::string, std::string>>& pairs, double least) {
  for (const auto& [theme, colours] : themes()) {
    for (const auto& [front, back] : pairs) {
      ASSERT_TRUE(colours.contains(front) && colours.contains(back)) << front << ' ' << back;
      EXPECT_GE(contrast(colours.at(front), colours.at(back)), least)
          << front << " on " << back << ", " << theme;
    }
  }
}

TEST(Contrast, OfTextIsEnoughInEveryTheme) {
  std::vector<std::pair<std::string, std::string>> pairs = {
      {"accent", "accent-soft"}, {"good", "card"},      {"fair", "card"},
      {"bad", "card"},           {"fair", "fair-soft"}, {"bg", "text"} /*tip*/};
  for (const char* front : {"text", "soft"}) {
    for (const char* back : {"bg", "card", "shade"}) pairs.emplace_back(front, back);
  }
  expect_contrast(pairs, kLeastText);
}

TEST(Contrast, OfDrawingsIsEnoughInEveryTheme) {
  std::vector<std::pair<std::string, std::string>> pairs = {{"accent", "card"}, {"bad", "card"}};
  for (const char* front : {"q0", "q1", "q2", "q3", "q4", "q5", "s0", "s1", "s2", "s3", "s4"}) {
    pairs.emplace_back(front, "card");
  }
  expect_contrast(pairs, kLeastDrawing);
}

}  // namespace
}  // namespace hexquant::report
