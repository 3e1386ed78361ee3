#pragma once

#include <string>
#include <vector>

#include "pipeline/convert_options.h"

namespace hexquant::pipeline {

/// The same conversion on the command lines of the vendor's newer tools.
struct QairtCommands {
  std::string converter;  ///< qairt-converter, one option a line
  std::string quantizer;  ///< qairt-quantizer; empty without --input_list
  std::string carry;      ///< qairt-converter for the results of this program; empty likewise
  std::vector<std::string> missing;  ///< what those tools cannot do
};

/// @param stem  path of the results without extension: X of X.onnx
[[nodiscard]] QairtCommands qairt_commands(const ConvertArguments& arguments,
                                           const std::string& stem);

/// All of it as a text for people, with a line for everything that is missing.
[[nodiscard]] std::string qairt_text(const QairtCommands& commands);

}  // namespace hexquant::pipeline
