#pragma once

#include "hexquant/progress.h"

namespace hexquant::cli {

/// Progress bars on stderr when it is a terminal, nothing otherwise. Cancelled by the first Ctrl-C.
[[nodiscard]] ProgressSink& terminal_progress();

/// The first Ctrl-C asks running work to stop and clean up; the second ends the process at once.
void install_interrupt_handler();

}  // namespace hexquant::cli
