#include "target/target.h"

#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "core/file_io.h"

namespace hexquant::target {

// From data/targets, compiled in by cmake/HexquantEmbed.cmake.
extern const std::string_view kHexagonJson;
extern const std::string_view kSocsJson;

namespace {

struct DataFile {
  std::string text;
  std::string origin;
};

DataFile data_file(const char* name, std::string_view built_in) {
  const char* folder = std::getenv("HEXQUANT_TARGETS_DIR");
  if (folder == nullptr || *folder == '\0') {
    return {std::string(built_in), std::string("built-in ") + name};
  }
  const std::filesystem::path path = std::filesystem::path(folder) / name;
  return {read_file(path), path.string()};
}

}  // namespace

std::vector<Soc> list_socs() {
  const DataFile file = data_file("socs.json", kSocsJson);
  return parse_socs(file.text, file.origin);
}

Target load_target(const std::string& soc) {
  Target target;
  target.soc = find_soc(list_socs(), soc);
  const DataFile file = data_file("hexagon.json", kHexagonJson);
  target.rules = parse_rules(file.text, file.origin, target.soc.htp_arch);
  return target;
}

}  // namespace hexquant::target
