#pragma once

#include <string>
#include <vector>

#include "target/rules.h"
#include "target/soc.h"

namespace hexquant::target {

/// A chip and what its HTP accepts.
struct Target {
  Soc soc;
  Rules rules;
};

/// Facts and rules of a chip: part number, marketing name or soc_model number (see find_soc).
///
/// The data is built in; a folder named by the environment variable HEXQUANT_TARGETS_DIR replaces
/// it with its own hexagon.json and socs.json.
/// @throws Error(kInvalidArgument) unknown chip; Error(kIo), Error(kInvalidData) for that folder
[[nodiscard]] Target load_target(const std::string& soc);

/// Every chip that load_target knows, in the order of the data file.
[[nodiscard]] std::vector<Soc> list_socs();

}  // namespace hexquant::target
