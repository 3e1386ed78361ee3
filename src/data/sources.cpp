#include "data/sources.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/format.h"
#include "data/image.h"
#include "data/input_list.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLabelsFile = "labels.csv";

[[noreturn]] void fail(const std::string& origin, const std::string& problem) {
  throw Error(ErrorCode::kInvalidData, origin + ": " + problem);
}

/// Image files of a folder by name; hidden files (".x.jpg", as macOS leaves them) are no images.
std::vector<LabelledFile> list_images(const fs::path& folder) {
  std::vector<LabelledFile> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with('.') || !has_image_extension(name)) continue;
    files.push_back({entry->path(), std::nullopt});
  }
  if (error) {
    throw Error(ErrorCode::kIo, format("cannot read '{}': {}", folder.string(), error.message()));
  }
  std::sort(files.begin(), files.end(), [](const LabelledFile& a, const LabelledFile& b) {
    return a.path.filename().string() < b.path.filename().string();
  });
  if (files.empty()) {
    fail(folder.string(),
         "no images in this folder: expected *.jpg, *.jpeg, *.png, *.bmp, *.webp or *.ppm "
         "(subfolders are not searched)");
  }
  return files;
}

/// Collects the columns of all sources.
class Collector {
 public:
  void add(const std::string& source) {
    constexpr std::string_view kAssign = ":=";
    const auto assign = source.find(kAssign);
    named_ = assign != std::string::npos;
    name_ = named_ ? source.substr(0, assign) : "";
    const fs::path path = named_ ? source.substr(assign + kAssign.size()) : source;
    if (path.empty() || (named_ && name_.empty())) {
      fail("'" + source + "'", "expected a file, a folder or name:=file");
    }
    add_path(path);
  }

  Sources finish() && {
    for (const SourceColumn& column : sources_.columns) {
      const std::int64_t rows = column.column->rows();
      const SourceColumn& first = sources_.columns.front();
      if (rows != first.column->rows()) {
        fail(column.origin, format("{} samples, but {} has {}: all inputs need the same number",
                                   rows, first.origin, first.column->rows()));
      }
      if (rows == 0) fail(column.origin, "no samples");
      sources_.rows = rows;
    }
    return std::move(sources_);
  }

 private:
  void add_path(const fs::path& path) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) {
      throw Error(ErrorCode::kIo, format("cannot read '{}': {}", path.string(),
                                         error ? error.message() : "No such file or directory"));
    }
    if (fs::is_directory(status)) {
      add_folder(path);
    } else if (path.extension() == ".csv") {
      add_images(path, read_labels_csv(path), true);
    } else if (path.extension() == ".npy") {
      add_column(path, "", make_array_column(ArrayRows::open_npy(path)));
    } else if (path.extension() == ".npz") {
      add_archive(path);
    } else if (path.extension() == ".txt") {
      add_input_list(path);
    } else if (has_image_extension(path)) {
      add_images(path, {{path, std::nullopt}}, false);
    } else {
      fail(path.string(),
           "unknown kind of data: expected a folder of images, labels.csv, .npy, .npz, a QNN input "
           "list (.txt) or an image");
    }
  }

  void add_folder(const fs::path& folder) {
    const fs::path labels = folder / kLabelsFile;
    std::error_code ignored;
    if (fs::exists(labels, ignored)) {
      add_images(labels, read_labels_csv(labels), true);
    } else {
      add_images(folder, list_images(folder), false);
    }
  }

  void add_images(const fs::path& origin, std::vector<LabelledFile> files, bool from_csv) {
    std::vector<fs::path> paths;
    for (const LabelledFile& file : files) paths.push_back(file.path);
    add_column(origin, "", make_image_column(std::move(paths)));
    if (!sources_.image_files.empty()) return;
    sources_.image_files = std::move(files);
    sources_.has_label_file = from_csv;
  }

  void add_archive(const fs::path& path) {
    auto arrays = ArrayRows::open_npz(path);
    if (arrays.empty()) fail(path.string(), "no arrays in this archive");
    if (named_ && arrays.size() > 1) {
      const auto found = arrays.find(name_);
      if (found == arrays.end()) {
        fail(path.string(), format("no array named '{}' in this archive", name_));
      }
      add_column(path, "", make_array_column(found->second));
      return;
    }
    for (auto& [name, array] : arrays) {
      add_column(path, name, make_array_column(std::move(array)));
    }
  }

  void add_input_list(const fs::path& path) {
    const InputList list = read_input_list(path);
    if (list.inferences.empty()) fail(path.string(), "no inferences in this input list");
    const std::size_t inputs = list.inferences.front().size();
    if (named_ && inputs > 1) fail(path.string(), "lists several inputs: give it without a name");
    for (std::size_t i = 0; i < inputs; ++i) {
      std::vector<fs::path> files;
      for (const auto& inference : list.inferences) files.push_back(inference[i].path);
      add_column(path, list.inferences.front()[i].input, make_raw_column(std::move(files)));
    }
  }

  /// @param own_name  what the file itself calls the column
  void add_column(const fs::path& origin, const std::string& own_name,
                  std::unique_ptr<Column> column) {
    sources_.columns.push_back(
        {named_ ? name_ : own_name, named_, origin.string(), std::move(column)});
  }

  bool named_ = false;
  std::string name_;
  Sources sources_;
};

}  // namespace

Sources open_sources(const std::vector<std::string>& sources) {
  if (sources.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "no data given: expected --data with an image folder, labels.csv, .npy, .npz or "
                "input list");
  }
  Collector collector;
  for (const std::string& source : sources) collector.add(source);
  return std::move(collector).finish();
}

}  // namespace hexquant::data
