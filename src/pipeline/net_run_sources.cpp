#include "pipeline/net_run_sources.h"

#include <algorithm>
#include <utility>

#include "core/format.h"
#include "hexquant/error.h"
#include "pipeline/quantized_start.h"
#include "pipeline/result_files.h"

namespace hexquant::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDefaultModel = "model.onnx";

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// Names that an ONNX model of this QNN library may have, without extension.
std::vector<std::string> model_names(const fs::path& library) {
  // As qnn-model-lib-generator and the article make the name of a file out of the model's.
  constexpr std::string_view kBeginning = "lib";
  constexpr std::string_view kEnding = "_qnn";
  std::string file = library.stem().string();
  std::vector<std::string> names = {file};
  if (file.starts_with(kBeginning)) names.push_back(file = file.substr(kBeginning.size()));
  if (file.ends_with(kEnding)) names.push_back(file.substr(0, file.size() - kEnding.size()));
  std::reverse(names.begin(), names.end());  // the plainest first
  return names;
}

[[noreturn]] void fail_model(const std::string& option, const std::string& given,
                             const std::vector<fs::path>& tried) {
  std::vector<std::string> names;
  for (const fs::path& path : tried) names.push_back(path.string());
  throw Error(ErrorCode::kInvalidArgument,
              format("{} '{}': no ONNX model to run in its place (looked for {}): give MODEL.onnx",
                     option, given, join(names, ", ")));
}

/// The quantized model of a folder of ours, by the recipe's prefix; ./model.onnx in any other.
fs::path model_of_folder(const std::string& given) {
  const std::string name = is_file(fs::path(given) / "recipe.json")
                               ? quantized_file(folder_recipe(given))
                               : std::string(kDefaultModel);
  if (!is_file(fs::path(given) / name)) fail_model("MODEL", given, {fs::path(given) / name});
  return fs::path(given) / name;
}

fs::path model_of_library(const std::string& given) {
  std::vector<fs::path> tried;
  for (const fs::path& folder : {fs::path(given).parent_path(), fs::path()}) {
    for (const std::string& name : model_names(given)) tried.push_back(folder / (name + ".onnx"));
  }
  tried.emplace_back(kDefaultModel);
  const auto found = std::find_if(tried.begin(), tried.end(), is_file);
  if (found == tried.end()) fail_model("--model", given, tried);
  return *found;
}

/// The EPContext model that `hexquant compile` and the provider write beside a context binary.
fs::path model_of_context(const std::string& given) {
  if (!is_file(given)) {
    throw Error(ErrorCode::kInvalidArgument,
                format("--retrieve_context '{}': no such file", given));
  }
  const fs::path beside = fs::path(given).replace_extension(".onnx");
  if (!is_file(beside)) fail_model("--retrieve_context", given, {beside});
  return beside;
}

class Finder {
 public:
  Finder(const NetRunSources& sources, bool has_simulator)
      : sources_(sources), has_simulator_(has_simulator) {}

  NetRunPlace find() {
    find_model();
    find_backend();
    return std::move(place_);
  }

 private:
  void find_model() {
    if (!sources_.dlc.empty()) {
      throw Error(ErrorCode::kUnsupported,
                  format("--dlc_path '{}': a DLC runs on a device only; give the ONNX model that "
                         "it was made from",
                         sources_.dlc));
    }
    if (!sources_.model.empty() && !sources_.retrieve_context.empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "--model and --retrieve_context both name a model: give one of them");
    }
    if (!sources_.retrieve_context.empty()) {
      place_.model = model_of_context(sources_.retrieve_context);
      place_.on_htp = true;
      map("--retrieve_context", sources_.retrieve_context, place_.model.string(),
          "the EPContext model that loads it");
      return;
    }
    const std::string& given = sources_.model;
    std::error_code ignored;
    if (given.empty()) {
      if (!is_file(kDefaultModel)) fail_model("MODEL", "", {kDefaultModel});
      place_.model = kDefaultModel;
      map("MODEL", "", place_.model.string(), "no model was named");
    } else if (fs::is_directory(given, ignored)) {
      place_.model = model_of_folder(given);
    } else if (fs::path(given).extension() == ".so") {
      place_.model = model_of_library(given);
      map("--model", given, place_.model.string(), "a QNN model library runs on a device only");
    } else if (fs::path(given).extension() == ".bin") {
      place_.model = model_of_context(given);
      place_.on_htp = true;
      map("MODEL", given, place_.model.string(), "the EPContext model that loads it");
    } else {
      place_.model = given;
    }
  }

  void find_backend() {
    const std::string file = fs::path(sources_.backend).filename().string();
    if (!sources_.device.empty()) {
      place_.on_htp = sources_.device == "htp";
      if (!file.empty()) map("--backend", sources_.backend, sources_.device, "as --device says");
      return;
    }
    if (file.empty()) return;
    if (file.find("Htp") != std::string::npos) {
      const bool needs_htp = place_.on_htp;
      place_.on_htp = has_simulator_ || needs_htp;
      map("--backend", sources_.backend, place_.on_htp ? "htp" : "cpu",
          place_.on_htp ? "the vendor's simulator"
                        : "the vendor's simulator is not installed ('hexquant setup htp')");
    } else if (file.find("Cpu") != std::string::npos) {
      map("--backend", sources_.backend, "cpu", "ONNX Runtime");
    } else {
      throw Error(ErrorCode::kUnsupported,
                  format("--backend '{}': not known here; libQnnHtp.so and libQnnCpu.so are",
                         sources_.backend));
    }
  }

  void map(std::string option, std::string given, std::string used, std::string reason) {
    place_.mappings.push_back(
        {std::move(option), std::move(given), std::move(used), std::move(reason)});
  }

  const NetRunSources& sources_;
  bool has_simulator_;
  NetRunPlace place_;
};

}  // namespace

NetRunPlace find_net_run_place(const NetRunSources& sources, bool has_simulator) {
  return Finder(sources, has_simulator).find();
}

}  // namespace hexquant::pipeline
