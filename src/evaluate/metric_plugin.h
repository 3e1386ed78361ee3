#pragma once

#include <filesystem>

// The part of a metric plug-in (include/hexquant/metric_plugin.h) that runs in
// hexquant_metric_worker: foreign code is loaded here, so nothing else may call it.
namespace hexquant::evaluate {

/// Loads a plug-in and looks for its functions and version; scores nothing.
/// @throws Error(kInvalidArgument) naming the file and what is missing
void check_metric_plugin(const std::filesystem::path& file);

/// Gives a plug-in the outputs of one model, item by item.
/// @param folder  as OutputFolder writes it
/// @param labels  handed on as it is; may be empty
/// @throws Error as check_metric_plugin; Error(kInvalidData) when a function fails or the metric is
///         not finite; Error for a folder that cannot be read
[[nodiscard]] double run_metric_plugin(const std::filesystem::path& file,
                                       const std::filesystem::path& folder,
                                       const std::filesystem::path& labels);

}  // namespace hexquant::evaluate
