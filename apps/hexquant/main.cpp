#include <CLI/CLI.hpp>

#include "cli/command_context.h"
#include "cli/terminal_progress.h"
#include "commands/commands.h"
#include "hexquant/version.h"

int main(int argc, char** argv) {
  namespace cli = hexquant::cli;
  CLI::App program{
      "hexquant: quantize float ONNX models for Qualcomm Hexagon NPUs, and see what it costs"};
  program.set_version_flag("--version", hexquant::version());
  program.require_subcommand(1);
  program.get_formatter()->column_width(34);
  program.footer(
      "Exit status: 0 done, 1 a check or target missed, 2 bad usage or input, 3 a needed "
      "component\n"
      "is absent, 70 internal error. 'hexquant COMMAND --help' explains each command.");
  cli::CommandContext context;
  cli::add_quantize_command(program, context);
  cli::add_evaluate_command(program, context);
  cli::add_info_command(program, context);
  cli::add_granularity_command(program, context);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? cli::kExitDone : cli::kExitBadInput;
  }
  cli::install_interrupt_handler();
  try {
    return context.action();
  } catch (...) {
    return cli::report_exception();
  }
}
