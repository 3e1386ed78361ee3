#pragma once

#include <map>
#include <string>
#include <vector>

#include "hexquant/finding.h"

namespace hexquant::pipeline {

/// What may follow an option of the converter.
enum class Arity {
  kFlag,          ///< nothing
  kOne,           ///< one value; the last of several counts
  kEach,          ///< one value; every one counts
  kPair,          ///< NAME VALUE; every one counts
  kList,          ///< one or more values
  kOptionalList,  ///< any number of values, also none
};

/// Where an option stands in the help.
enum class ConvertGroup { kModel, kInputs, kQuantizer, kNumbers, kOther };

/// One option of qnn-onnx-converter (or of qairt-quantizer, where that has more): data, not code.
struct ConvertOption {
  std::string name;                     ///< as the program spells it: "--act_bitwidth"
  std::vector<std::string> aliases;     ///< other spellings with the same meaning: "-i"
  std::vector<std::string> deprecated;  ///< old spellings: a finding; beside another, an error
  Arity arity = Arity::kFlag;
  ConvertGroup group = ConvertGroup::kOther;
  std::string value_name;           ///< for the help: "FILE", "NAME DIMS"
  std::vector<std::string> values;  ///< legal values (kPair: of the second); empty = any
  std::string fallback;             ///< the converter's default; empty = none
  bool is_quantizer = false;        ///< without meaning when there is no --input_list
  std::string help;
  std::string no_effect;  ///< why it changes nothing here; empty = it does
};

/// Every option, in the order of the help.
[[nodiscard]] const std::vector<ConvertOption>& convert_options();

/// Occurrences of each spelling on a command line; each is the list of its values.
using GivenOptions = std::map<std::string, std::vector<std::vector<std::string>>>;

/// A command line whose options, values and combinations are all legal.
class ConvertArguments {
 public:
  /// Checks numbers of values, legal values, old spellings and the documented exclusions.
  /// @throws Error(kInvalidArgument) naming the option, or both options that exclude each other
  explicit ConvertArguments(GivenOptions given);

  [[nodiscard]] bool given(const std::string& name) const { return values_.contains(name); }
  /// The value that counts, or the converter's default.
  [[nodiscard]] std::string value(const std::string& name) const;
  /// Values of all occurrences, each as on the command line; empty when not given.
  [[nodiscard]] std::vector<std::vector<std::string>> occurrences(const std::string& name) const;
  /// All values of all occurrences in one list.
  [[nodiscard]] std::vector<std::string> list(const std::string& name) const;
  /// Options that were given, in the order of the table.
  [[nodiscard]] std::vector<const ConvertOption*> given_options() const;

  /// Either legacy quantizer or calibration and schema, in the newer terms.
  struct Range {
    std::string calibration;  ///< min-max, sqnr, entropy, mse, percentile
    std::string schema;       ///< asymmetric, symmetric, unsignedsymmetric, signedasymmetric
    bool is_chosen = false;   ///< by any option
  };
  [[nodiscard]] Range activations() const { return range("act"); }
  /// 16-bit weights are symmetric unless something else was asked for.
  [[nodiscard]] Range weights() const;

  /// Old spellings that were used, options without effect here.
  [[nodiscard]] const Findings& findings() const noexcept { return findings_; }

 private:
  void take(const ConvertOption& option, GivenOptions& given);
  [[nodiscard]] Range range(const std::string& prefix) const;

  std::map<std::string, std::vector<std::vector<std::string>>> values_;  // by ConvertOption::name
  Findings findings_;
};

/// @throws Error(kInvalidArgument) on combinations that the converter refuses
void check_exclusions(const ConvertArguments& arguments);

/// Steps of --restrict_quantization_steps: lowest and highest code.
struct QuantizationSteps {
  long lowest = 0;
  long highest = 0;
};
/// "-0x80 0x7F", as one argument or as two. @throws Error(kInvalidArgument)
[[nodiscard]] QuantizationSteps parse_steps(const std::vector<std::string>& words);

}  // namespace hexquant::pipeline
