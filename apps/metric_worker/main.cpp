#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "core/format.h"
#include "evaluate/metric_plugin.h"
#include "hexquant/error.h"

namespace {

constexpr const char* kUsage =
    "usage: hexquant_metric_worker FILE.so [FOLDER [LABELS]]\n"
    "Started by hexquant for --metric so:FILE. With FILE.so alone it only looks at the plug-in.\n";

}  // namespace

/// Loads a metric plug-in, which may crash, hang or print: so it has a process of its own. The
/// metric is the last line of its standard output, what failed the last one of its standard error.
int main(int argc, char** argv) {
  if (argc < 2 || argc > 4 || std::strcmp(argv[1], "--help") == 0) {
    const bool asks = argc == 2;
    std::fputs(kUsage, asks ? stdout : stderr);
    return asks ? 0 : 2;
  }
  try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (arguments.size() == 1) {
      hexquant::evaluate::check_metric_plugin(arguments[0]);
      return 0;
    }
    const double value = hexquant::evaluate::run_metric_plugin(
        arguments[0], arguments[1], arguments.size() > 2 ? arguments[2] : "");
    std::puts(hexquant::format("\n{}", value).c_str());
    return 0;
  } catch (const hexquant::Error& error) {
    const bool is_plugin = error.code() == hexquant::ErrorCode::kInvalidArgument;
    std::fprintf(stderr, "%s\n", error.what());
    return is_plugin ? 2 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 70;
  }
}
