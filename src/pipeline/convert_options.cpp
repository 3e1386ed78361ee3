#include "pipeline/convert_options.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::pipeline {
namespace {

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorCode::kInvalidArgument, message);
}

const ConvertOption& find_option(const std::string& name) {
  const auto& table = convert_options();
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const ConvertOption& option) { return option.name == name; });
  HEXQUANT_CHECK(found != table.end(), name);
  return *found;
}

void check_value(const ConvertOption& option, const std::string& spelling,
                 const std::string& value) {
  const auto& legal = option.values;
  if (legal.empty() || std::find(legal.begin(), legal.end(), value) != legal.end()) return;
  refuse(format("{} '{}': expected {}", spelling, value, join(legal, ", ")));
}

/// Numbers and legality of the values of one occurrence.
void check_occurrence(const ConvertOption& option, const std::string& spelling,
                      const std::vector<std::string>& values) {
  const std::size_t count = values.size();
  const auto wrong = [&](const char* expected) {
    refuse(format("{} takes {} ({}), not {} values: {}", spelling, expected, option.value_name,
                  count, join(values, " ")));
  };
  switch (option.arity) {
    case Arity::kFlag:
    case Arity::kOptionalList:
      return;
    case Arity::kOne:
    case Arity::kEach:
      if (count != 1) wrong("one value");
      check_value(option, spelling, values.front());
      return;
    case Arity::kPair:
      if (count != 2) wrong("two values");
      check_value(option, spelling, values.back());
      return;
    case Arity::kList:
      if (count == 0) wrong("one value or more");
      for (const std::string& value : values) check_value(option, spelling, value);
      return;
  }
}

/// A legacy name in the newer terms.
ConvertArguments::Range legacy_range(const std::string& name) {
  if (name == "enhanced") return {"sqnr", "asymmetric", true};
  if (name == "symmetric") return {"min-max", "symmetric", true};
  return {"min-max", "asymmetric", true};
}

}  // namespace

ConvertArguments::ConvertArguments(GivenOptions given) {
  for (const ConvertOption& option : convert_options()) take(option, given);
  HEXQUANT_CHECK(given.empty(), "every spelling is in the table: " + given.begin()->first);
  check_exclusions(*this);
}

void ConvertArguments::take(const ConvertOption& option, GivenOptions& given) {
  std::vector<std::string> spellings = {option.name};
  spellings.insert(spellings.end(), option.aliases.begin(), option.aliases.end());
  spellings.insert(spellings.end(), option.deprecated.begin(), option.deprecated.end());
  std::string used;
  for (const std::string& spelling : spellings) {
    const auto found = given.find(spelling);
    if (found == given.end()) continue;
    if (!used.empty()) refuse(format("{} and {} are the same option: give one", used, spelling));
    used = spelling;
    for (const auto& values : found->second) check_occurrence(option, spelling, values);
    values_[option.name] = std::move(found->second);
    given.erase(found);
  }
  if (used.empty()) return;
  const auto& old = option.deprecated;
  if (std::find(old.begin(), old.end(), used) != old.end()) {
    findings_.push_back(
        {"deprecated-option", Severity::kWarning, used, "an old spelling", "write " + option.name});
  }
  if (option.no_effect.empty()) return;
  findings_.push_back({"option-without-effect", Severity::kWarning, used,
                       "changes nothing here: " + option.no_effect, ""});
}

std::string ConvertArguments::value(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? find_option(name).fallback : found->second.back().front();
}

std::vector<std::vector<std::string>> ConvertArguments::occurrences(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::vector<std::string>>() : found->second;
}

std::vector<std::string> ConvertArguments::list(const std::string& name) const {
  std::vector<std::string> all;
  for (const auto& values : occurrences(name)) all.insert(all.end(), values.begin(), values.end());
  return all;
}

std::vector<const ConvertOption*> ConvertArguments::given_options() const {
  std::vector<const ConvertOption*> options;
  for (const ConvertOption& option : convert_options()) {
    if (given(option.name)) options.push_back(&option);
  }
  return options;
}

ConvertArguments::Range ConvertArguments::range(const std::string& prefix) const {
  const std::string legacy = "--" + prefix + "_quantizer";
  if (given(legacy)) return legacy_range(value(legacy));
  const std::string calibration = legacy + "_calibration";
  const std::string schema = legacy + "_schema";
  return {value(calibration), value(schema), given(calibration) || given(schema)};
}

ConvertArguments::Range ConvertArguments::weights() const {
  Range chosen = range("param");
  if (!chosen.is_chosen && value("--weights_bitwidth") == "16") chosen.schema = "symmetric";
  return chosen;
}

QuantizationSteps parse_steps(const std::vector<std::string>& words) {
  std::istringstream text(format("{}", join(words, " ")));
  const auto fail = [&]() {
    refuse(
        format("--restrict_quantization_steps '{}': expected two hexadecimal numbers, as in "
               "\"-0x80 0x7F\"",
               join(words, " ")));
  };
  const auto number = [&]() -> long {
    std::string word;
    if (!(text >> word)) fail();
    const std::size_t digits = word.starts_with('-') ? 1 : 0;
    constexpr std::size_t kMostDigits = 8;
    if (word.compare(digits, 2, "0x") != 0 || word.size() - digits - 2 > kMostDigits) fail();
    std::size_t used = 0;
    try {
      const long value = std::stol(word, &used, 16);
      if (used == word.size()) return value;
    } catch (const std::exception&) {
      used = 0;
    }
    fail();
    return 0;
  };
  QuantizationSteps steps;
  steps.lowest = number();
  steps.highest = number();
  std::string rest;
  if (text >> rest || steps.lowest >= steps.highest) fail();
  return steps;
}

}  // namespace hexquant::pipeline
