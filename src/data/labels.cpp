#include <algorithm>
#include <map>
#include <utility>

#include "core/file_io.h"
#include "core/format.h"
#include "data/dataset.h"
#include "data/labels_csv.h"
#include "data/npy.h"
#include "data/selection.h"
#include "data/sources.h"
#include "data/text_lines.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

namespace fs = std::filesystem;

/// Labels of all rows; absent where a csv has none.
using Labels = std::vector<std::optional<std::int64_t>>;

[[noreturn]] void fail(const std::string& origin, const std::string& problem) {
  throw Error(ErrorCode::kInvalidData, origin + ": " + problem);
}

Labels labels_of(const std::vector<LabelledFile>& files) {
  Labels labels;
  for (const LabelledFile& file : files) labels.push_back(file.label);
  return labels;
}

Labels read_npy_labels(const fs::path& path) {
  const Tensor tensor = read_npy(path);
  const bool column = tensor.rank() == 2 && tensor.shape()[1] == 1;
  if ((tensor.rank() != 1 && !column) || is_floating(tensor.dtype()) ||
      tensor.dtype() == DType::kBool) {
    fail(path.string(), format("{} {}: expected an integer array of one label a sample",
                               dtype_name(tensor.dtype()), shape_text(tensor.shape())));
  }
  const auto values = to_int64s(tensor);
  return {values.begin(), values.end()};
}

Labels read_text_labels(const fs::path& path) {
  const std::string text = read_file(path);
  Labels labels;
  for (const TextLine& line : text_lines(text)) {
    const auto label = parse_integer(line.text);
    if (!label) {
      fail(format("{}:{}", path.string(), line.number),
           format("'{}': expected one whole number a line", line.text.substr(0, 40)));
    }
    labels.push_back(label);
  }
  return labels;
}

std::string path_key(const fs::path& path) {
  std::error_code error;
  const fs::path canonical = fs::weakly_canonical(path, error);
  return error ? path.lexically_normal().string() : canonical.string();
}

/// Labels from a csv for image files that were listed otherwise.
Labels matched_by_path(const fs::path& csv, const std::vector<LabelledFile>& images) {
  std::map<std::string, std::optional<std::int64_t>> by_path;
  for (const LabelledFile& file : read_labels_csv(csv)) by_path[path_key(file.path)] = file.label;
  Labels labels;
  for (const LabelledFile& image : images) {
    const auto found = by_path.find(path_key(image.path));
    labels.push_back(found == by_path.end() ? std::nullopt : found->second);
  }
  return labels;
}

Labels read_all(const fs::path& path, const Sources& sources, const DataOptions& options) {
  if (path.empty()) {
    if (!sources.has_label_file) {
      fail(options.sources.front(), "no labels: give --labels, or data with a labels.csv");
    }
    return labels_of(sources.image_files);
  }
  if (path.extension() == ".npy") return read_npy_labels(path);
  if (path.extension() != ".csv") return read_text_labels(path);
  return sources.image_files.empty() ? labels_of(read_labels_csv(path))
                                     : matched_by_path(path, sources.image_files);
}

}  // namespace

std::vector<std::int64_t> read_labels(const fs::path& path, const DataOptions& options) {
  const Sources sources = open_sources(options.sources);
  const Labels all = read_all(path, sources, options);
  const std::string origin = path.empty() ? sources.columns.front().origin : path.string();
  if (static_cast<std::int64_t>(all.size()) != sources.rows) {
    fail(origin, format("{} labels for {} samples", all.size(), sources.rows));
  }
  std::vector<std::int64_t> labels;
  for (const std::int64_t row : select_samples(sources.rows, options)) {
    const auto& label = all[static_cast<std::size_t>(row)];
    const std::string sample = sources.columns.front().column->describe(row);
    if (!label) fail(origin, format("no label for sample {} ({})", row, sample));
    if (*label < 0) {
      fail(origin, format("label {} of sample {} ({}): expected 0 or more", *label, row, sample));
    }
    labels.push_back(*label);
  }
  return labels;
}

bool has_labels(const DataOptions& options) {
  const Sources sources = open_sources(options.sources);
  return sources.has_label_file &&
         std::all_of(sources.image_files.begin(), sources.image_files.end(),
                     [](const LabelledFile& file) { return file.label.has_value(); });
}

void check_labels(const std::vector<std::int64_t>& labels, std::int64_t classes) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= 0 && labels[i] < classes) continue;
    throw Error(ErrorCode::kInvalidData,
                format("label {} of sample {}: the model has {} classes, expected 0 to {}",
                       labels[i], i, classes, classes - 1));
  }
}

}  // namespace hexquant::data
