#include "formats/encodings/diff_encodings.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "core/format.h"
#include "formats/encodings/convert_encodings.h"

namespace hexquant::formats {
namespace {

/// The entry with numbers, blocks of a matrix channel by channel as 1.0.0 lists them.
EncodingEntry comparable(EncodingEntry entry) {
  complete_entry(entry);
  const auto rank = static_cast<int>(entry.block_shape.size());
  if (entry.block_size != 0 && rank == 2 && (entry.axis.value_or(0) + rank) % rank == 0) {
    transpose_blocks(entry, entry.block_shape[1]);
  }
  return entry;
}

std::size_t item_count(const EncodingEntry& entry) {
  return std::max(entry.scale.size(), entry.block_int_scale.size());
}

/// Real values of the lowest and the highest code of item `i`.
std::pair<double, double> range_of(const EncodingEntry& entry, std::size_t i) {
  if (entry.kind == ScaleKind::kLpbq) {
    const std::size_t blocks = entry.block_int_scale.size() / entry.scale.size();
    const double step = entry.scale[i / blocks] * static_cast<double>(entry.block_int_scale[i]);
    const double half = std::ldexp(1.0, entry.bits - 1);
    return {-half * step, (half - 1.0) * step};
  }
  const double low = entry.offset[i] * entry.scale[i];
  return {low, low + (std::ldexp(1.0, entry.bits) - 1.0) * entry.scale[i]};
}

double largest_change(const EncodingEntry& a, const EncodingEntry& b) {
  double change = 0.0;
  for (std::size_t i = 0; i < item_count(a); ++i) {
    const auto [low_a, high_a] = range_of(a, i);
    const auto [low_b, high_b] = range_of(b, i);
    const double moved = std::max(std::abs(low_a - low_b), std::abs(high_a - high_b));
    change = std::max(change, moved / std::max(high_a - low_a, high_b - low_b));
  }
  return change;
}

std::optional<int> positive_axis(const EncodingEntry& entry) {
  if (!entry.axis || entry.block_shape.empty()) return entry.axis;
  const auto rank = static_cast<int>(entry.block_shape.size());
  return (*entry.axis + rank) % rank;
}

template <typename T>
bool both_say_other(const std::optional<T>& a, const std::optional<T>& b) {
  return a && b && *a != *b;
}

std::optional<EncodingDiff> compare(const EncodingEntry& a, const EncodingEntry& b,
                                    double tolerance) {
  EncodingDiff diff{a.name, DiffKind::kNumbers, 0.0, entry_text(a), entry_text(b)};
  if (a.is_float != b.is_float || a.float_type != b.float_type ||
      has_numbers(a) != has_numbers(b)) {
    diff.kind = DiffKind::kType;
  } else if (a.kind != b.kind || item_count(a) != item_count(b) || a.block_size != b.block_size ||
             a.scale.size() != b.scale.size() ||
             both_say_other(positive_axis(a), positive_axis(b))) {
    diff.kind = DiffKind::kScales;
  } else if (a.bits != b.bits || a.grid_bits != b.grid_bits) {
    diff.kind = DiffKind::kWidth;
  } else if (a.group != b.group && a.group != EntryGroup::kUnknown &&
             b.group != EntryGroup::kUnknown) {
    diff.kind = DiffKind::kGroup;
  } else {
    diff.change = a.is_float ? 0.0 : largest_change(a, b);
    if (!(diff.change > tolerance)) return std::nullopt;
  }
  return diff;
}

std::string type_text(const EncodingEntry& entry) {
  if (!entry.float_type.empty()) return entry.float_type;
  if (entry.is_float) return format("float{}", entry.bits);
  return format("{}int{}{}", entry.is_signed ? "" : "u", entry.bits,
                entry.symmetric.value_or(false) ? " symmetric" : "");
}

std::string count_text(const EncodingEntry& entry) {
  switch (entry.kind) {
    case ScaleKind::kNone:
      return entry.is_float ? "" : ", width alone";
    case ScaleKind::kTensor:
      return "";
    case ScaleKind::kChannel:
      return format(", {} channels", entry.scale.size());
    case ScaleKind::kBlock:
      return format(", {} blocks of {}", entry.scale.size(), entry.block_size);
    case ScaleKind::kLpbq:
      return format(", {} integer blocks of {} on {} bits", entry.block_int_scale.size(),
                    entry.block_size, entry.grid_bits);
  }
  return "";
}

std::string span_text(const char* name, const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  if (*low == *high) return format(", {} {:.6g}", name, *low);
  return format(", {} {:.6g} ... {:.6g}", name, *low, *high);
}

using ByName = std::map<std::string, EncodingEntry>;

/// The last entry of each name counts, as for most readers.
ByName by_name(const EncodingFile& file) {
  ByName entries;
  for (const EncodingEntry& entry : file.entries) entries[entry.name] = comparable(entry);
  return entries;
}

}  // namespace

const char* diff_name(DiffKind kind) noexcept {
  switch (kind) {
    case DiffKind::kRemoved:
      return "removed";
    case DiffKind::kAdded:
      return "added";
    case DiffKind::kType:
      return "type";
    case DiffKind::kScales:
      return "scales";
    case DiffKind::kWidth:
      return "width";
    case DiffKind::kGroup:
      return "group";
    case DiffKind::kNumbers:
      return "numbers";
  }
  return "numbers";
}

std::string entry_text(const EncodingEntry& entry) {
  std::string text = type_text(entry) + count_text(entry);
  if (entry.axis) text += format(", axis {}", *entry.axis);
  if (entry.scale.empty()) return text;
  text += span_text("scale", entry.scale);
  if (!entry.offset.empty() && !entry.is_float) text += span_text("offset", entry.offset);
  return text;
}

std::vector<EncodingDiff> diff_encodings(const EncodingFile& before, const EncodingFile& after,
                                         double tolerance) {
  const ByName first = by_name(before);
  const ByName second = by_name(after);
  std::vector<EncodingDiff> diffs;
  for (const auto& [name, entry] : first) {
    const auto other = second.find(name);
    if (other == second.end()) {
      diffs.push_back({name, DiffKind::kRemoved, 0.0, entry_text(entry), ""});
    } else if (auto diff = compare(entry, other->second, tolerance)) {
      diffs.push_back(std::move(*diff));
    }
  }
  for (const auto& [name, entry] : second) {
    if (!first.contains(name)) {
      diffs.push_back({name, DiffKind::kAdded, 0.0, "", entry_text(entry)});
    }
  }
  std::stable_sort(diffs.begin(), diffs.end(), [](const EncodingDiff& a, const EncodingDiff& b) {
    if (a.kind != b.kind) return a.kind < b.kind;
    if (a.change != b.change) return a.change > b.change;
    return a.name < b.name;
  });
  return diffs;
}

Json diff_json(const std::vector<EncodingDiff>& diffs) {
  Json list = Json::array();
  for (const EncodingDiff& diff : diffs) {
    list.push_back({{"name", diff.name},
                    {"kind", diff_name(diff.kind)},
                    {"change", diff.change},
                    {"before", diff.before},
                    {"after", diff.after}});
  }
  Json json;
  json["differences"] = std::move(list);
  return json;
}

}  // namespace hexquant::formats
