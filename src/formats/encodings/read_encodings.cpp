#include <algorithm>
#include <cmath>

#include "core/file_io.h"
#include "core/format.h"
#include "formats/encodings/encoding_file.h"
#include "formats/encodings/read_entries.h"

namespace hexquant::formats {
namespace {

struct Section {
  const char* key;
  EntryGroup group;
};

constexpr Section kSections[] = {{"activation_encodings", EntryGroup::kActivation},
                                 {"param_encodings", EntryGroup::kParameter}};

/// "0.6.1" for all of 0.x and so on: the layout changes with the first number only.
std::optional<EncodingsVersion> layout_of_version(const std::string& text) {
  if (text.starts_with("0.")) return EncodingsVersion::k0_6_1;
  if (text.starts_with("1.")) return EncodingsVersion::k1_0_0;
  if (text.starts_with("2.")) return EncodingsVersion::k2_0_0;
  return std::nullopt;
}

EncodingsVersion detect_version(const JsonCursor& root) {
  if (const auto entries = root.find("encodings")) {
    entries->expect_array();
    return EncodingsVersion::k2_0_0;
  }
  std::optional<EncodingsVersion> version;
  for (const Section& section : kSections) {
    const auto entries = root.find(section.key);
    if (!entries) continue;
    if (!entries->is_object() && !entries->is_array()) {
      entries->fail("an object (0.6.1) or a list (1.0.0)");
    }
    const auto found = entries->is_object() ? EncodingsVersion::k0_6_1 : EncodingsVersion::k1_0_0;
    if (version && *version != found) entries->fail("the same kind as activation_encodings");
    version = found;
  }
  if (!version) {
    root.fail("activation_encodings and param_encodings (0.6.1, 1.0.0) or encodings (2.0.0)");
  }
  return *version;
}

void check_stated_version(const JsonCursor& root, EncodingsVersion layout) {
  const auto stated = root.find("version");
  if (!stated) return;
  const auto found = layout_of_version(stated->text());
  if (!found) stated->fail("0.6.1, 1.0.0 or 2.0.0");
  if (*found != layout) {
    stated->fail(format("{}, which is how the entries are laid out", version_name(layout)));
  }
}

void read_section(const JsonCursor& section, EntryGroup group, EncodingFile& file) {
  const std::size_t first = file.entries.size();
  if (section.is_object()) {
    section.each_member([&](const std::string& name, const JsonCursor& list) {
      file.entries.push_back(read_entry_0_6_1(name, list));
    });
  } else {
    section.expect_array();
    for (std::size_t i = 0; i < section.size(); ++i) {
      const JsonCursor entry = section.at(i);
      entry.expect_object();
      file.entries.push_back(file.version == EncodingsVersion::k1_0_0 ? read_entry_1_0_0(entry)
                                                                      : read_entry_2_0_0(entry));
    }
  }
  for (std::size_t i = first; i < file.entries.size(); ++i) file.entries[i].group = group;
}

}  // namespace

EncodingFile encodings_from_json(const Json& json, const std::string& origin) {
  const JsonCursor root(json, origin);
  root.expect_object();
  EncodingFile file;
  file.version = detect_version(root);
  check_stated_version(root, file.version);
  for (const auto& item : json.items()) {
    const bool is_section = item.key() == "encodings" ||
                            std::any_of(std::begin(kSections), std::end(kSections),
                                        [&](const Section& s) { return item.key() == s.key; });
    file.envelope[item.key()] = is_section ? Json() : item.value();
  }
  if (file.version == EncodingsVersion::k2_0_0) {
    read_section(root.at("encodings"), EntryGroup::kUnknown, file);
    return file;
  }
  for (const Section& section : kSections) {
    if (const auto entries = root.find(section.key)) read_section(*entries, section.group, file);
  }
  return file;
}

EncodingFile parse_encodings(const std::string& text, const std::string& origin) {
  return encodings_from_json(parse_json(text, origin), origin);
}

EncodingFile read_encodings(const std::filesystem::path& path) {
  return parse_encodings(read_file(path), path.string());
}

double read_scale(const JsonCursor& value) {
  const double scale = value.number();
  if (!(scale > 0.0)) value.fail("a number above 0");
  return scale;
}

double read_offset(const JsonCursor& value) {
  const double offset = value.number();
  if (!(std::abs(offset) <= static_cast<double>(kMaxOffset))) {
    value.fail(format("a number from {} to {}", -kMaxOffset, kMaxOffset));
  }
  return offset;
}

std::vector<std::string> keys_of(const JsonCursor& object) {
  std::vector<std::string> keys;
  for (const auto& item : object.json().items()) keys.push_back(item.key());
  return keys;
}

Json unknown_members(const JsonCursor& object, std::span<const std::string_view> known) {
  Json unknown;
  for (const auto& item : object.json().items()) {
    if (std::find(known.begin(), known.end(), item.key()) != known.end()) continue;
    unknown[item.key()] = item.value();
  }
  return unknown;
}

}  // namespace hexquant::formats
