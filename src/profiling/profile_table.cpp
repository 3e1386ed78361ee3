#include "profiling/profile_table.h"

#include <algorithm>
#include <utility>

#include "core/format.h"

namespace hexquant::profiling {
namespace {

constexpr std::size_t kShownText = 120;

void keep_measured(ProfileRow& row, ProfileRow&& other) {
  row.value.add(other.value);
  row.critical.add(other.critical);
  row.wait.add(other.wait);
  row.overlap.add(other.overlap);
  row.overlap_wait.add(other.overlap_wait);
  if (row.overlaps_with.empty()) row.overlaps_with = std::move(other.overlaps_with);
  if (row.resources.empty()) row.resources = std::move(other.resources);
  if (row.onnx_nodes.empty()) row.onnx_nodes = std::move(other.onnx_nodes);
  if (row.op.empty()) row.op = std::move(other.op);
  if (row.backend.empty()) row.backend = std::move(other.backend);
  if (row.text.empty()) row.text = std::move(other.text);
}

/// Mean of two per-inference figures that rest on `a` and `b` measurements.
double weighted(double first, std::int64_t a, double second, std::int64_t b) {
  const auto sum = static_cast<double>(a + b);
  if (!(sum > 0.0)) return 0.0;
  return (first * static_cast<double>(a) + second * static_cast<double>(b)) / sum;
}

std::string unit_of(const ProfileRow& row) {
  std::string unit = row.backend;
  if (!row.resources.empty()) {
    if (!unit.empty()) unit += ": ";
    unit += format("{}", join(row.resources, "+"));
  }
  return unit.empty() ? "(not told)" : unit;
}

std::string group_name(const ProfileRow& row, ProfileGrouping grouping) {
  switch (grouping) {
    case ProfileGrouping::kNode:
      return row.label();
    case ProfileGrouping::kOp:
      return row.op.empty() ? "(not told)" : row.op;
    case ProfileGrouping::kUnit:
      break;
  }
  return unit_of(row);
}

}  // namespace

const char* profile_format_name(ProfileFormat format) noexcept {
  switch (format) {
    case ProfileFormat::kNodeLines:
      return "node-lines";
    case ProfileFormat::kViewerText:
      return "viewer-text";
    case ProfileFormat::kQnnCsv:
      return "qnn-csv";
    case ProfileFormat::kQnnLog:
      return "qnn-log";
    case ProfileFormat::kOrtTrace:
      return "ort-trace";
    case ProfileFormat::kChromeTrace:
      return "chrome-trace";
    case ProfileFormat::kQhas:
      break;
  }
  return "qhas";
}

std::optional<ProfileFormat> profile_format_of(std::string_view name) noexcept {
  for (const ProfileFormat format : kProfileFormats) {
    if (name == profile_format_name(format)) return format;
  }
  return std::nullopt;
}

const char* profile_unit_name(ProfileUnit unit) noexcept {
  return unit == ProfileUnit::kCycles ? "cycles" : "us";
}

void Samples::add(double value) noexcept {
  min = count == 0 ? value : std::min(min, value);
  max = count == 0 ? value : std::max(max, value);
  total += value;
  ++count;
}

void Samples::add(const Samples& other) noexcept {
  if (other.count == 0) return;
  min = count == 0 ? other.min : std::min(min, other.min);
  max = count == 0 ? other.max : std::max(max, other.max);
  total += other.total;
  count += other.count;
}

double Samples::mean() const noexcept {
  return count == 0 ? 0.0 : total / static_cast<double>(count);
}

double ProfileTable::sum() const noexcept {
  double sum = 0.0;
  for (const ProfileRow& row : rows) sum += row.amount;
  return sum;
}

std::optional<double> ProfileTable::total(std::string_view section, std::string_view name) const {
  std::optional<double> sum;
  for (const ProfileTotal& total : totals) {
    if (total.section != section || total.name != name || total.value.count == 0) continue;
    sum = sum.value_or(0.0) + total.value.mean();
  }
  return sum;
}

ProfileRow& ProfileBuilder::row(std::string_view graph, std::string_view name) {
  if (index_ == nullptr || index_graph_ != graph) {
    index_ = &graphs_.try_emplace(std::string(graph)).first->second;
    index_graph_ = graph;
  }
  const auto found = index_->find(name);
  if (found != index_->end()) return *found->second;
  ProfileRow& row = rows_.emplace_back();
  row.name = name;
  row.graph = graph;
  index_->emplace(row.name, &row);
  return row;
}

ProfileTotal& ProfileBuilder::total(std::string_view section, std::string_view graph,
                                    std::string_view name, std::string_view unit) {
  for (ProfileTotal& total : table_.totals) {
    if (total.name == name && total.section == section && total.graph == graph) return total;
  }
  return table_.totals.emplace_back(ProfileTotal{
      std::string(section), std::string(graph), std::string(name), std::string(unit), {}});
}

void ProfileBuilder::malformed(std::int64_t line, std::string_view text, std::string reason) {
  ++table_.malformed_count;
  if (table_.malformed.size() == ProfileTable::kMalformedShown) return;
  std::string shown(text.substr(0, kShownText));
  if (text.size() > kShownText) shown += "...";
  table_.malformed.push_back({line, std::move(shown), std::move(reason)});
}

void ProfileBuilder::finish() {
  index_ = nullptr;
  graphs_.clear();
  for (ProfileRow& row : rows_) {
    if (row.amount == 0.0) row.amount = row.value.mean();
    table_.rows.push_back(std::move(row));
  }
  rows_.clear();
}

void merge_profiles(ProfileTable& table, ProfileTable&& other) {
  std::map<std::pair<std::string, std::string>, std::size_t> known;
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    known.emplace(std::pair(table.rows[r].graph, table.rows[r].name), r);
  }
  for (ProfileRow& row : other.rows) {
    const auto found = known.find(std::pair(row.graph, row.name));
    if (found == known.end()) {
      table.rows.push_back(std::move(row));
      continue;
    }
    ProfileRow& own = table.rows[found->second];
    own.amount = weighted(own.amount, own.value.count, row.amount, row.value.count);
    keep_measured(own, std::move(row));
  }
  ProfileBuilder builder(table);
  for (const ProfileTotal& total : other.totals) {
    builder.total(total.section, total.graph, total.name, total.unit).value.add(total.value);
  }
  for (const MalformedLine& line : other.malformed) {
    if (table.malformed.size() < ProfileTable::kMalformedShown) table.malformed.push_back(line);
  }
  table.sources.insert(table.sources.end(), other.sources.begin(), other.sources.end());
  table.lines += other.lines;
  table.malformed_count += other.malformed_count;
  table.may_be_summed = table.may_be_summed && other.may_be_summed;
  for (Finding& finding : other.findings) {
    const bool is_known = std::any_of(table.findings.begin(), table.findings.end(),
                                      [&](const Finding& own) { return own.id == finding.id; });
    if (!is_known) table.findings.push_back(std::move(finding));
  }
}

void sort_rows(ProfileTable& table) {
  std::stable_sort(table.rows.begin(), table.rows.end(),
                   [](const ProfileRow& a, const ProfileRow& b) {
                     const bool is_measured = a.value.count > 0;
                     if (is_measured != (b.value.count > 0)) return is_measured;
                     return a.amount > b.amount;
                   });
}

std::vector<ProfileGroup> group_rows(const ProfileTable& table, ProfileGrouping grouping) {
  std::vector<ProfileGroup> groups;
  if (grouping == ProfileGrouping::kUnit && !table.units.empty()) {
    for (const UnitUse& unit : table.units) groups.push_back({unit.name, unit.amount, 0.0, 0});
  } else {
    std::unordered_map<std::string, std::size_t> places;
    for (const ProfileRow& row : table.rows) {
      if (row.value.count == 0) continue;
      std::string name = group_name(row, grouping);
      const auto [place, is_new] = places.emplace(name, groups.size());
      if (is_new) groups.push_back({std::move(name), 0.0, 0.0, 0});
      groups[place->second].amount += row.amount;
      ++groups[place->second].rows;
    }
  }
  double sum = 0.0;
  for (const ProfileGroup& group : groups) sum += group.amount;
  for (ProfileGroup& group : groups) group.share = sum > 0.0 ? group.amount / sum : 0.0;
  std::stable_sort(groups.begin(), groups.end(), [](const ProfileGroup& a, const ProfileGroup& b) {
    return a.amount > b.amount;
  });
  return groups;
}

}  // namespace hexquant::profiling
