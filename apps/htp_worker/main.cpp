#include <cstdio>
#include <cstring>
#include <exception>

#include "core/child_process.h"
#include "runtime/htp/worker_program.h"

namespace {

/// Standard error is a file of the client's.
void print_log(const char* place, const char* message) {
  std::fprintf(stderr, "[%s] %s\n", place, message);
}

}  // namespace

/// Loads the vendor's provider, which may crash, hang or print: so it has a process of its own.
/// Started by hexquant, never by hand: it speaks over a socket that it inherits.
int main(int argc, char** argv) {
  if (argc != 1) {
    const bool asks = std::strcmp(argv[1], "--help") == 0;
    std::fputs("hexquant_htp_worker: started by hexquant; it has no options\n",
               asks ? stdout : stderr);
    return asks ? 0 : 2;
  }
  try {
    return hexquant::runtime::serve_worker(hexquant::ChildProcess::kChildChannel, print_log);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hexquant_htp_worker: %s\n", error.what());
    return 70;
  }
}
