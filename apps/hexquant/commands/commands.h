#pragma once

#include <CLI/CLI.hpp>

#include "cli/command_context.h"

// Each command lives in a file of its name. A function here adds its sub-command to the program and
// sets the context's action when the user chose it.
namespace hexquant::cli {

void add_auto_command(CLI::App& program, CommandContext& context);
void add_quantize_command(CLI::App& program, CommandContext& context);
void add_evaluate_command(CLI::App& program, CommandContext& context);
void add_sensitivity_command(CLI::App& program, CommandContext& context);
void add_mixed_precision_command(CLI::App& program, CommandContext& context);
void add_qat_command(CLI::App& program, CommandContext& context);
void add_compile_command(CLI::App& program, CommandContext& context);
void add_analyze_command(CLI::App& program, CommandContext& context);
void add_advise_command(CLI::App& program, CommandContext& context);
void add_net_run_command(CLI::App& program, CommandContext& context);
void add_check_command(CLI::App& program, CommandContext& context);
void add_profile_command(CLI::App& program, CommandContext& context);
void add_info_command(CLI::App& program, CommandContext& context);
void add_granularity_command(CLI::App& program, CommandContext& context);
void add_setup_command(CLI::App& program, CommandContext& context);
void add_encodings_command(CLI::App& program, CommandContext& context);
void add_convert_command(CLI::App& program, CommandContext& context);
void add_optimize_command(CLI::App& program, CommandContext& context);

}  // namespace hexquant::cli
