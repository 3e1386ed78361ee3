#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/json.h"
#include "report/assets.h"

namespace hexquant::report {

/// A page that draws itself from `data` with `script`, both of which become part of it.
struct Page {
  std::string title;   ///< plain text
  std::string script;  ///< JavaScript; reads `data` of assets/kit.js and fills the page
  Json data;
  bool has_charts = false;  ///< `script` uses assets/charts.js
};

/// One HTML file that asks the network for nothing (its Content-Security-Policy forbids it).
///
/// Names from a model reach the page only as JSON text without '<', '>' and '&', and the scripts
/// put them into text nodes and attributes only, so that no name can become markup.
/// Bytes that are not UTF-8 become U+FFFD.
/// @param chart_library  drawn with by a page that has charts; empty: their numbers become tables
[[nodiscard]] std::string html_page(const Page& page, std::string_view chart_library = kVegaJs);

/// The data of a page that html_page() made; nothing when `html` is no such page.
[[nodiscard]] std::optional<Json> page_data(std::string_view html);

}  // namespace hexquant::report
