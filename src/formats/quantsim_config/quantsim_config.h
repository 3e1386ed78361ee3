#pragma once

#include <filesystem>
#include <string>

#include "core/json.h"
#include "hexquant/finding.h"
#include "quant/quantsim_config.h"
#include "target/target.h"

namespace hexquant::formats {

/// Reads an AIMET quantsim configuration: booleans are the strings "True" and "False"; the sections
/// defaults, params, op_type, supergroups, model_input and model_output are required.
/// @param origin  file name for messages
/// @throws Error(kInvalidData) "origin:line:column: ..." for malformed JSON;
///         "origin: op_type.Conv.is_symmetric: expected "True" or "False", got true" otherwise
[[nodiscard]] quant::QuantsimConfig parse_quantsim_config(const std::string& text,
                                                          const std::string& origin);
/// @throws Error(kIo), and as parse_quantsim_config
[[nodiscard]] quant::QuantsimConfig read_quantsim_config(const std::filesystem::path& path);

/// The configuration in AIMET's form; reading it again gives the same configuration.
[[nodiscard]] Json quantsim_config_json(const quant::QuantsimConfig& config);

/// The built-in rules of a chip as a configuration. Given to `--config` for the same chip, it plans
/// what the rules plan.
/// @param findings  gains an entry for each rule that the form cannot express
[[nodiscard]] quant::QuantsimConfig config_of_target(const target::Target& target,
                                                     Findings& findings);

}  // namespace hexquant::formats
