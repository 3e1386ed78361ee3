#include "pipeline/golden.h"

#include <algorithm>
#include <vector>

#include "core/file_io.h"
#include "core/format.h"
#include "evaluate/session_choice.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "pipeline/assets.h"
#include "pipeline/quantize_options.h"
#include "pipeline/quantize_pipeline.h"
#include "pipeline/raw_outputs.h"
#include "pipeline/result_files.h"
#include "runtime/session.h"

namespace hexquant::pipeline {
namespace {

namespace fs = std::filesystem;

class GoldenWriter {
 public:
  GoldenWriter(const fs::path& output, const Recipe& recipe)
      : graph_(formats::read_onnx(output / quantized_file(recipe))),
        session_(graph_, evaluate::session_options(graph_)),
        folder_(output / "golden"),
        staged_(folder_) {
    data::DataOptions options = resolve_data(recipe.data, recipe.seed);
    data_ = data::open_dataset(options, model_inputs(graph_));
    std::vector<std::string> names;
    for (const runtime::ValueSpec& value : session_.outputs()) names.push_back(value.name);
    output_stems_ = raw_file_stems(names);
    input_stems_ = raw_file_stems(graph_.inputs());
  }

  std::int64_t write(std::int64_t count, ProgressSink& progress) {
    const std::int64_t samples = std::min(count, data_->size());
    ProgressStage stage(progress, "golden", samples);
    std::string list;
    for (std::int64_t i = 0; i < samples; ++i) {
      list += write_sample(i);
      stage.step();
    }
    write_file(staged_.path() / "input_list.txt", list);
    const fs::path script = staged_.path() / "run_on_device.sh";
    write_file(script, kRunOnDeviceSh);
    fs::permissions(script, fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec,
                    fs::perm_options::add);
    fs::remove_all(folder_);  // samples of an earlier run
    staged_.commit();
    return samples;
  }

 private:
  /// @return the sample's line of the input list
  std::string write_sample(std::int64_t index) {
    const data::Sample sample = data_->load(index);
    std::vector<std::string> entries;
    for (std::size_t i = 0; i < graph_.inputs().size(); ++i) {
      const std::string& name = graph_.inputs()[i];
      const std::string file = format("inputs/{}/{}.raw", index, input_stems_[i]);
      fs::create_directories((staged_.path() / file).parent_path());
      write_file(staged_.path() / file, float_bytes(sample.at(name)));
      entries.push_back(format("{}:={}", name, file));
    }
    const fs::path folder = staged_.path() / "reference" / format("Result_{}", index);
    fs::create_directories(folder);
    const std::vector<Tensor> outputs = session_.run(sample);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      write_file(folder / (output_stems_[i] + ".raw"), float_bytes(outputs[i]));
    }
    return format("{}\n", join(entries, " "));
  }

  graph::Graph graph_;
  runtime::Session session_;
  fs::path folder_;
  StagedDirectory staged_;
  std::unique_ptr<data::Dataset> data_;
  std::vector<std::string> input_stems_;
  std::vector<std::string> output_stems_;
};  // namespace

}  // namespace

GoldenResult write_golden(const fs::path& output, const Recipe& recipe, std::int64_t count,
                          ProgressSink& progress) {
  if (count < 1) {
    throw Error(ErrorCode::kInvalidArgument, format("--golden {}: expected 1 or more", count));
  }
  const std::int64_t samples = GoldenWriter(output, recipe).write(count, progress);
  return {output / "golden", samples};
}

}  // namespace hexquant::pipeline
