#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "core/file_io.h"
#include "core/format.h"
#include "core/json_cursor.h"
#include "formats/expect_keys.h"
#include "formats/overrides/overrides.h"

namespace hexquant::formats {
namespace {

constexpr const char* kSupergroups = "supergroups";
constexpr std::array<std::pair<const char*, EntryGroup>, 2> kSections = {
    {{"activation_encodings", EntryGroup::kActivation},
     {"param_encodings", EntryGroup::kParameter}}};

struct ShortType {
  const char* name;
  int bits;
  bool is_float;
};
constexpr std::array<ShortType, 7> kShortTypes = {{{"int4", 4, false},
                                                   {"int8", 8, false},
                                                   {"int16", 16, false},
                                                   {"uint8", 8, false},
                                                   {"uint16", 16, false},
                                                   {"float16", 16, true},
                                                   {"float32", 32, true}}};

EncodingEntry read_short_entry(const std::string& name, const JsonCursor& json, EntryGroup group) {
  expect_keys(json, {"dtype", "is_symmetric"});
  const JsonCursor dtype = json.at("dtype");
  const std::string& type = dtype.text();
  const auto found = std::find_if(kShortTypes.begin(), kShortTypes.end(),
                                  [&](const ShortType& one) { return type == one.name; });
  if (found == kShortTypes.end()) {
    dtype.fail("int4, int8, int16, uint8, uint16, float16 or float32");
  }
  EncodingEntry entry;
  entry.name = name;
  entry.group = group;
  entry.bits = found->bits;
  entry.is_float = found->is_float;
  if (const auto symmetric = json.find("is_symmetric")) entry.symmetric = symmetric->boolean();
  return entry;
}

Supergroup read_supergroup(const JsonCursor& json) {
  expect_keys(json, {"op_list", "fuse"});
  const JsonCursor ops = json.at("op_list");
  if (ops.expect_array().size() < 2) ops.fail("two operations or more");
  Supergroup group;
  for (std::size_t i = 0; i < ops.size(); ++i) group.op_list.push_back(ops.at(i).text());
  if (const auto fuse = json.find("fuse")) group.fuse = fuse->boolean();
  return group;
}

void read_supergroups(const JsonCursor& root, Overrides& overrides) {
  const auto list = root.find(kSupergroups);
  if (!list) return;
  list->expect_array();
  for (std::size_t i = 0; i < list->size(); ++i) {
    overrides.supergroups.push_back(read_supergroup(list->at(i)));
  }
}

/// Reads the short entries of all sections; returns the file without them.
Json take_short_entries(const Json& json, const std::string& origin, Overrides& overrides) {
  const JsonCursor root(json, origin);
  Json rest = json;
  rest.erase(kSupergroups);
  for (const auto& [key, group] : kSections) {
    const auto section = root.find(key);
    if (!section || !section->is_object()) continue;
    Json others = Json::object();
    section->each_member([&, kind = group](const std::string& name, const JsonCursor& entry) {
      if (entry.is_object()) {
        overrides.entries.push_back(read_short_entry(name, entry, kind));
      } else {
        others[name] = entry.json();
      }
    });
    rest[key] = std::move(others);
  }
  return rest;
}

void report(Overrides& overrides, const char* id, std::ptrdiff_t count, const char* what) {
  if (count == 0) return;
  overrides.findings.push_back(
      {id, Severity::kInfo, overrides.origin, format("{} {}", count, what),
       "give the vendor's converter the overrides.json that is written with the result"});
}

/// What the vendor's converter would not accept.
void report_differences(std::ptrdiff_t short_entries, Overrides& overrides) {
  const auto wildcards =
      std::count_if(overrides.entries.begin(), overrides.entries.end(),
                    [](const auto& one) { return one.name.find('*') != std::string::npos; });
  report(overrides, "overrides-short-form", short_entries,
         "entries in the short form: the vendor's converter wants lists of bitwidth and dtype");
  report(overrides, "overrides-wildcard", wildcards,
         "names with '*': the vendor's converter knows full names only");
  report(overrides, "overrides-supergroups", std::ssize(overrides.supergroups),
         "supergroups: the vendor's converter has its own and ignores these");
}

}  // namespace

Overrides parse_overrides(const std::string& text, const std::string& origin) {
  const Json json = parse_json(text, origin);
  const JsonCursor root(json, origin);
  root.expect_object();
  Overrides overrides;
  overrides.origin = origin;
  read_supergroups(root, overrides);
  const Json rest = take_short_entries(json, origin, overrides);
  const std::ptrdiff_t short_entries = std::ssize(overrides.entries);
  // Nothing but supergroups is a file of overrides too.
  if (!rest.empty() || overrides.supergroups.empty()) {
    EncodingFile file = encodings_from_json(rest, origin);
    std::move(file.entries.begin(), file.entries.end(), std::back_inserter(overrides.entries));
  }
  report_differences(short_entries, overrides);
  return overrides;
}

Overrides read_overrides(const std::filesystem::path& path) {
  return parse_overrides(read_file(path), path.string());
}

}  // namespace hexquant::formats
