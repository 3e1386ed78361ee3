#include "profiling/node_lines.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/format.h"

namespace hexquant::profiling {
namespace {

constexpr std::string_view kNode = "Node";
constexpr std::string_view kExecute = "execute";
constexpr std::string_view kUnit = "us";

bool is_space(char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

std::size_t skip_while(std::string_view text, std::size_t at, bool (*matches)(char)) {
  while (at < text.size() && matches(text[at])) ++at;
  return at;
}

/// `(\d+\.?\d*)\s*us` at the first place from `at` on where it matches.
std::optional<double> first_time(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    if (!is_digit(text[at])) {
      ++at;
      continue;
    }
    const std::size_t digits_end = skip_while(text, at, is_digit);
    std::size_t end = digits_end;
    if (end < text.size() && text[end] == '.') end = skip_while(text, end + 1, is_digit);
    if (text.substr(skip_while(text, end, is_space)).starts_with(kUnit)) {
      double value = 0.0;
      const auto [stop, error] = std::from_chars(text.data() + at, text.data() + end, value);
      if (error != std::errc{}) return std::nullopt;
      return value;
    }
    at = digits_end;
  }
  return std::nullopt;
}

/// Where the last time of a line starts. Looked for from the end, so that the whole search is
/// linear in the length of the line.
std::optional<std::size_t> last_time_start(std::string_view line) {
  for (std::size_t unit = line.rfind(kUnit); unit != std::string_view::npos && unit > 0;
       unit = line.rfind(kUnit, unit - 1)) {
    std::size_t at = unit;
    while (at > 0 && is_space(line[at - 1])) --at;
    const std::size_t end = at;
    while (at > 0 && is_digit(line[at - 1])) --at;
    if (at > 1 && line[at - 1] == '.' && is_digit(line[at - 2])) {
      --at;
      while (at > 0 && is_digit(line[at - 1])) --at;
    }
    if (at < end) return at;
  }
  return std::nullopt;
}

/// A "Node <name> " in the line: the name, and what follows the first white space behind it.
struct Start {
  std::string_view name;
  std::string_view rest;
};

std::optional<Start> find_start(std::string_view line) {
  for (std::size_t at = line.find(kNode); at != std::string_view::npos;
       at = line.find(kNode, at + 1)) {
    const std::size_t name = skip_while(line, at + kNode.size(), is_space);
    if (name == at + kNode.size() || name == line.size()) continue;
    const std::size_t end = skip_while(line, name, [](char c) noexcept { return !is_space(c); });
    if (end == line.size()) continue;
    return Start{line.substr(name, end - name), line.substr(end + 1)};
  }
  return std::nullopt;
}

/// "CPU", "HTP", "GPU", or "" for a line with "execute"; the article's order of the questions.
std::string_view device_of(std::string_view text) {
  for (const std::string_view device : {"CPU", "HTP", "GPU"}) {
    if (text.find(device) != std::string_view::npos) return device;
  }
  return {};
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

class Reader {
 public:
  explicit Reader(ProfileTable& table) : builder_(table) {}

  void line(std::string_view line, std::int64_t number) {
    if (line.find(kExecute) == std::string_view::npos) return;
    const auto node = match_node_line(line);
    if (node && is_measurement(node->time_us)) {
      add_node(*node, line);
      return;
    }
    const auto start = find_start(line);
    if (start && start->rest.find(kExecute) != std::string_view::npos) {
      builder_.malformed(number, line, "no time in us after 'execute'");
    } else if (device_of(line) == "CPU") {
      mark(builder_.row({}, trimmed(line)), "CPU", line);
    } else if (device_of(line) == "HTP") {
      has_other_htp_ = true;
    }
  }

  void finish(ProfileTable& table) {
    builder_.finish();
    const bool has_htp =
        has_other_htp_ || std::any_of(table.rows.begin(), table.rows.end(),
                                      [](const ProfileRow& row) { return row.backend == "HTP"; });
    if (!has_htp || table.rows.empty()) return;
    table.findings.push_back(
        {.id = "parallel-operations",
         .severity = Severity::kInfo,
         .where = table.sources.front(),
         .reason = "operations of the HTP run side by side, so that the sum of their times is at "
                   "least the latency and often more",
         .fix = "take the latency from 'Accelerator (execute) time' of a basic profile"});
  }

 private:
  void add_node(const NodeLine& node, std::string_view line) {
    ProfileRow& row = builder_.row({}, node.name);
    row.value.add(node.time_us);
    const auto behind = static_cast<std::size_t>(node.name.data() - line.data()) + node.name.size();
    std::string_view device = device_of(line.substr(behind));
    if (device.empty()) {
      const std::size_t before = line.rfind(kNode, behind);
      device = device_of(line.substr(0, before));
    }
    mark(row, device, line);
  }

  static void mark(ProfileRow& row, std::string_view device, std::string_view line) {
    if (!device.empty() && row.backend != "CPU") row.backend = device;
    if (device == "CPU" && row.text.empty()) row.text = trimmed(line);
  }

  ProfileBuilder builder_;
  bool has_other_htp_ = false;
};

}  // namespace

std::optional<NodeLine> match_node_line(std::string_view line) {
  const auto time = last_time_start(line);
  if (!time || *time < kExecute.size()) return std::nullopt;
  // `.*` is greedy: the last "execute" behind which a time stands.
  const std::size_t execute = line.rfind(kExecute, *time - kExecute.size());
  if (execute == std::string_view::npos) return std::nullopt;
  const auto start = find_start(line);
  if (!start || start->rest.data() > line.data() + execute) return std::nullopt;
  const auto time_us = first_time(line, execute + kExecute.size());
  if (!time_us) return std::nullopt;
  return NodeLine{start->name, *time_us};
}

ProfileTable read_node_lines(std::string_view text, const std::string& origin) {
  ProfileTable table{.format = ProfileFormat::kNodeLines,
                     .sources = {origin},
                     .unit = ProfileUnit::kMicroseconds,
                     .is_time = true,
                     .may_be_summed = true};
  Reader reader(table);
  table.lines = each_line(
      text, [&](std::string_view line, std::int64_t number) { reader.line(line, number); });
  reader.finish(table);
  return table;
}

}  // namespace hexquant::profiling
