#include <cmath>
#include <optional>
#include <string>

#include "core/format.h"
#include "formats/encodings/read_entries.h"

namespace hexquant::formats {
namespace {

constexpr std::string_view kKnown[] = {"bitwidth", "dtype",  "is_symmetric", "max",
                                       "min",      "offset", "scale"};

bool read_is_float(const JsonCursor& item) {
  const auto dtype = item.find("dtype");
  if (!dtype) return false;
  const std::string& word = dtype->text();
  if (word == "int" || word == "INT") return false;
  if (word == "float" || word == "FLOAT") return true;
  dtype->fail("\"int\" or \"float\"");
}

/// What all items of a list have in common.
struct Policy {
  int bits = 0;
  bool is_float = false;
  std::optional<bool> symmetric;
};

Policy read_policy(const JsonCursor& item) {
  Policy policy;
  policy.bits = static_cast<int>(item.at("bitwidth").integer(1, kMaxBits));
  policy.is_float = read_is_float(item);
  if (const auto symmetric = item.find("is_symmetric")) policy.symmetric = symmetric->boolean();
  return policy;
}

void check_same_policy(const JsonCursor& item, const EncodingEntry& first) {
  const Policy policy = read_policy(item);
  if (policy.bits != first.bits) item.at("bitwidth").fail(format("{} as in [0]", first.bits));
  if (policy.is_float != first.is_float) item.fail("the dtype of [0]");
  if (policy.symmetric != first.symmetric) item.fail("the is_symmetric of [0]");
}

/// Offset of an item that gives a scale alone: its range, or symmetry, implies it.
double implied_offset(const JsonCursor& item, const EncodingEntry& entry) {
  if (const auto min = item.find("min")) return std::round(min->number() / entry.scale.back());
  if (entry.symmetric.value_or(false)) return -std::ldexp(1.0, entry.bits - 1);
  return item.at("offset").number();  // says that it is missing
}

void read_numbers(const JsonCursor& item, EncodingEntry& entry) {
  const auto min = item.find("min");
  const auto max = item.find("max");
  if (min || max) {
    entry.min.push_back(item.at("min").number());
    entry.max.push_back(item.at("max").number());
    if (entry.min.back() > entry.max.back()) {
      max->fail(format("a number not below min ({})", entry.min.back()));
    }
  }
  const auto scale = item.find("scale");
  const auto offset = item.find("offset");
  if (!scale && offset) item.at("scale").fail("a scale");
  if (!scale) return;
  const bool is_first = entry.scale.empty();
  if (!is_first && offset.has_value() != entry.offset_written) item.fail("the same keys as in [0]");
  entry.scale.push_back(read_scale(*scale));
  entry.offset_written = offset.has_value();
  entry.offset.push_back(offset ? read_offset(*offset) : implied_offset(item, entry));
  if (offset) entry.offset_as_real = offset->json().is_number_float();
}

/// Every item gives the numbers that the first one gives.
void check_complete(const JsonCursor& item, std::size_t count, const EncodingEntry& entry) {
  for (const auto* list : {&entry.scale, &entry.min}) {
    if (!list->empty() && list->size() != count) item.fail("the same keys as in [0]");
  }
}

}  // namespace

EncodingEntry read_entry_0_6_1(const std::string& name, const JsonCursor& list) {
  if (list.expect_array().size() == 0) list.fail("a list with at least one encoding");
  EncodingEntry entry;
  entry.name = name;
  Json extras = Json::array();
  bool has_extra = false;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const JsonCursor item = list.at(i);
    item.expect_object();
    if (i == 0) {
      const Policy policy = read_policy(item);
      entry.bits = policy.bits;
      entry.is_float = policy.is_float;
      entry.symmetric = policy.symmetric;
      entry.is_signed = policy.symmetric.value_or(false);
      entry.keys = keys_of(item);
    } else {
      check_same_policy(item, entry);
    }
    extras.push_back(unknown_members(item, kKnown));
    has_extra = has_extra || !extras.back().is_null();
    if (entry.is_float) continue;
    read_numbers(item, entry);
    check_complete(item, i + 1, entry);
  }
  if (has_extra) entry.extra = std::move(extras);
  if (entry.is_float && list.size() > 1) list.fail("one entry for a float tensor");
  if (has_numbers(entry)) entry.kind = list.size() == 1 ? ScaleKind::kTensor : ScaleKind::kChannel;
  if (entry.kind == ScaleKind::kNone && list.size() > 1) list.at(1).fail("no second width");
  return entry;
}

}  // namespace hexquant::formats
