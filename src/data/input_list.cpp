#include "data/input_list.h"

#include <algorithm>
#include <sstream>
#include <string_view>
#include <utility>

#include "core/file_io.h"
#include "core/format.h"
#include "data/text_lines.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

constexpr std::string_view kAssign = ":=";

std::vector<std::string> words(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> parts;
  for (std::string part; stream >> part;) parts.push_back(part);
  return parts;
}

[[noreturn]] void fail(const std::string& where, const std::string& problem) {
  throw Error(ErrorCode::kInvalidData, where + ": " + problem);
}

std::vector<InputFile> parse_inference(std::string_view line, const std::string& where) {
  std::vector<InputFile> files;
  for (const std::string& word : words(line)) {
    InputFile file;
    const auto assign = word.find(kAssign);
    if (assign != std::string::npos) file.input = word.substr(0, assign);
    file.path = assign == std::string::npos ? word : word.substr(assign + kAssign.size());
    if (file.path.empty() || assign == 0) {
      fail(where, format("'{}': expected path or name:=path", word));
    }
    const auto same = [&](const InputFile& other) { return other.input == file.input; };
    if (!file.input.empty() && std::any_of(files.begin(), files.end(), same)) {
      fail(where, format("input '{}' is given twice", file.input));
    }
    files.push_back(std::move(file));
  }
  const auto unnamed = [](const InputFile& file) { return file.input.empty(); };
  if (std::any_of(files.begin(), files.end(), unnamed) &&
      !std::all_of(files.begin(), files.end(), unnamed)) {
    fail(where, "some files have a name and some have none: write name:=path for all of them");
  }
  return files;
}

bool same_inputs(const std::vector<InputFile>& a, const std::vector<InputFile>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const InputFile& x, const InputFile& y) { return x.input == y.input; });
}

/// The files of a line in the order of the names on the first line.
void order_as(const std::vector<InputFile>& first, std::vector<InputFile>& files) {
  for (std::size_t i = 0; i < std::min(first.size(), files.size()); ++i) {
    const auto match =
        std::find_if(files.begin() + static_cast<std::ptrdiff_t>(i), files.end(),
                     [&](const InputFile& file) { return file.input == first[i].input; });
    if (match != files.end()) std::iter_swap(files.begin() + static_cast<std::ptrdiff_t>(i), match);
  }
}

std::filesystem::path resolved(const std::filesystem::path& path,
                               const std::filesystem::path& folder) {
  std::error_code ignored;
  const std::filesystem::path beside = folder / path;
  if (path.is_absolute() || std::filesystem::exists(beside, ignored) ||
      !std::filesystem::exists(path, ignored)) {
    return beside;
  }
  return path;
}

}  // namespace

InputList parse_input_list(const std::string& text, const std::string& origin) {
  InputList list;
  for (const TextLine& line : text_lines(text)) {
    if (line.text.front() == '#' || line.text.front() == '%') {
      for (std::string& name : words(line.text.substr(1))) list.outputs.push_back(std::move(name));
      continue;
    }
    const std::string where = format("{}:{}", origin, line.number);
    auto files = parse_inference(line.text, where);
    if (!list.inferences.empty()) {
      order_as(list.inferences.front(), files);
      if (!same_inputs(list.inferences.front(), files)) {
        fail(where, "other inputs than on the first line");
      }
    }
    list.inferences.push_back(std::move(files));
  }
  return list;
}

InputList read_input_list(const std::filesystem::path& path) {
  InputList list = parse_input_list(read_file(path), path.string());
  for (auto& files : list.inferences) {
    for (InputFile& file : files) file.path = resolved(file.path, path.parent_path());
  }
  return list;
}

}  // namespace hexquant::data
