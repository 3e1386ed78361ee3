#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <string>

#include "formats/onnx/onnx_io.h"
#include "networks/cases.h"

int main(int argc, char** argv) {
  using namespace hexquant;
  try {
    if (argc >= 3 && std::strcmp(argv[1], "write") == 0) {
      const std::string match = argc > 3 ? argv[3] : "";
      for (const auto& item : networks::all_cases()) {
        if (item.name.find(match) == std::string::npos) continue;
        formats::write_onnx(networks::quantize_case(item, "SA8255"),
                            std::filesystem::path(argv[2]) / (item.name + ".onnx"));
        std::printf("%s %s %d %d\n", item.name.c_str(), item.kind.c_str(), item.io_on_device,
                    item.kept_out);
      }
    }
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
