#include "support/json_schema.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "core/format.h"

namespace hexquant::test {
namespace {

bool has_type(const Json& value, const std::string& type) {
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_boolean();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "string") return value.is_string();
  if (type == "array") return value.is_array();
  return type == "object" && value.is_object();
}

class Validator {
 public:
  explicit Validator(const Json& root) : root_(root) {}

  void check(const Json& schema, const Json& value, const std::string& path) {
    if (schema.is_boolean()) {
      if (!schema.get<bool>()) report(path, "is not allowed");
      return;
    }
    for (const auto& [keyword, rule] : schema.items()) check_keyword(keyword, rule, value, path);
    check_members(schema, value, path);
  }

  [[nodiscard]] std::vector<std::string> take() { return std::move(violations_); }

 private:
  void report(const std::string& path, const std::string& reason) {
    violations_.push_back(format("{}: {}", path.empty() ? "/" : path, reason));
  }

  void check_keyword(const std::string& keyword, const Json& rule, const Json& value,
                     const std::string& path) {
    static const std::set<std::string> kNotes = {
        "$schema", "$id", "title", "description", "default", "definitions", "$comment", "examples"};
    static const std::set<std::string> kMembers = {"properties", "additionalProperties"};
    if (kNotes.contains(keyword) || kMembers.contains(keyword)) return;
    if (keyword == "type") {
      check_type(rule, value, path);
    } else if (keyword == "enum") {
      if (std::find(rule.begin(), rule.end(), value) == rule.end()) {
        report(path, format("{} is not one of {}", value.dump(), rule.dump()));
      }
    } else if (keyword == "const") {
      if (value != rule) report(path, format("{} is not {}", value.dump(), rule.dump()));
    } else if (keyword == "required") {
      check_required(rule, value, path);
    } else if (keyword == "items") {
      for (std::size_t i = 0; value.is_array() && i < value.size(); ++i) {
        check(rule, value[i], format("{}/{}", path, i));
      }
    } else if (keyword == "anyOf") {
      check_any(rule, value, path);
    } else if (keyword == "$ref") {
      check(root_.at(Json::json_pointer(rule.get<std::string>().substr(1))), value, path);
    } else {
      check_bound(keyword, rule, value, path);
    }
  }

  void check_type(const Json& rule, const Json& value, const std::string& path) {
    const bool fits = rule.is_string()
                          ? has_type(value, rule.get<std::string>())
                          : std::any_of(rule.begin(), rule.end(),
                                        [&](const Json& type) { return has_type(value, type); });
    if (!fits) report(path, format("{} is no {}", value.dump(), rule.dump()));
  }

  void check_required(const Json& rule, const Json& value, const std::string& path) {
    if (!value.is_object()) return;
    for (const Json& name : rule) {
      if (!value.contains(name.get<std::string>())) report(path, "lacks " + name.dump());
    }
  }

  void check_any(const Json& rule, const Json& value, const std::string& path) {
    for (const Json& choice : rule) {
      Validator one(root_);
      one.check(choice, value, path);
      if (one.violations_.empty()) return;
    }
    report(path, "fits none of anyOf");
  }

  void check_bound(const std::string& keyword, const Json& rule, const Json& value,
                   const std::string& path) {
    using Holds = std::function<bool(double)>;
    const double bound = rule.is_number() ? rule.get<double>() : 0.0;
    const std::map<std::string, std::pair<bool, Holds>> bounds = {
        {"minimum", {false, [=](double x) { return x >= bound; }}},
        {"maximum", {false, [=](double x) { return x <= bound; }}},
        {"minItems", {true, [=](double x) { return x >= bound; }}},
        {"maxItems", {true, [=](double x) { return x <= bound; }}}};
    const auto found = bounds.find(keyword);
    if (found == bounds.end()) {
      report(path, "keyword '" + keyword + "' is unknown to this validator");
      return;
    }
    const auto& [of_items, holds] = found->second;
    if (of_items ? !value.is_array() : !value.is_number()) return;
    const double measured = of_items ? static_cast<double>(value.size()) : value.get<double>();
    if (!holds(measured)) report(path, format("{} breaks {} {}", measured, keyword, bound));
  }

  void check_members(const Json& schema, const Json& value, const std::string& path) {
    if (!value.is_object()) return;
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [name, member] : value.items()) {
      const std::string inner = path + "/" + name;
      if (properties.contains(name)) {
        check(properties[name], member, inner);
      } else if (schema.contains("additionalProperties")) {
        check(schema["additionalProperties"], member, inner);
      }
    }
  }

  const Json& root_;
  std::vector<std::string> violations_;
};

}  // namespace

std::vector<std::string> schema_violations(const Json& schema, const Json& value) {
  Validator validator(schema);
  validator.check(schema, value, "");
  return validator.take();
}

Json published_schema(const std::string& name) {
  return read_json(std::filesystem::path(HEXQUANT_SOURCE_DIR) / "docs" / "schema" /
                   (name + ".schema.json"));
}

}  // namespace hexquant::test
