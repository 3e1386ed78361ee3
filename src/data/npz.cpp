#include "data/npz.h"

#include <string_view>
#include <utility>
#include <vector>

#include "core/file_io.h"
#include "core/format.h"
#include "data/npy.h"
#include "data/zip_archive.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

constexpr std::string_view kSuffix = ".npy";

}  // namespace

std::string array_name(const std::string& entry_name, const std::string& origin) {
  if (!entry_name.ends_with(kSuffix)) {
    throw Error(ErrorCode::kInvalidData,
                format("{}[{}]: not an .npy array: expected an archive as numpy.savez writes it",
                       origin, entry_name));
  }
  return entry_name.substr(0, entry_name.size() - kSuffix.size());
}

std::map<std::string, Tensor> parse_npz(std::span<const std::byte> archive,
                                        const std::string& origin) {
  std::map<std::string, Tensor> arrays;
  for (const ZipEntry& entry : read_zip_directory(archive, origin)) {
    const std::string name = array_name(entry.name, origin);
    const std::vector<std::byte> content = extract(archive, entry, origin);
    arrays.emplace(name, parse_npy(content, format("{}[{}]", origin, name)));
  }
  return arrays;
}

std::map<std::string, Tensor> read_npz(const std::filesystem::path& path) {
  const MappedFile file(path);
  return parse_npz({file.data(), file.size_bytes()}, path.string());
}

void write_npz(const std::filesystem::path& path, const std::map<std::string, Tensor>& arrays) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& [name, tensor] : arrays) {
    files.emplace_back(name + std::string(kSuffix), npy_bytes(tensor));
  }
  write_file(path, zip_bytes(files));
}

}  // namespace hexquant::data
