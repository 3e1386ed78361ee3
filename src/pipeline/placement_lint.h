#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "formats/qnn/framework_trace.h"
#include "formats/qnn/provider_log.h"
#include "formats/qnn/qnn_graph.h"
#include "graph/graph.h"
#include "target/placement.h"

namespace hexquant::pipeline {

/// What the vendor's compiler left behind for one model.
struct VendorFiles {
  bool created = false;                          ///< a session came to be
  std::string error;                             ///< its message otherwise
  std::optional<formats::FrameworkTrace> trace;  ///< absent when nothing went to the NPU
  std::vector<formats::QnnGraph> graphs;         ///< one for each part of the model
  formats::ProviderLog log;                      ///< of a verbose run; empty otherwise
};

/// Reads qnn_op_trace.json and the dumped graphs of `folder` (HtpOptions::trace), and the log.
/// @param error  empty when the session was created
/// @throws Error(kIo), Error(kInvalidData) naming file and key
[[nodiscard]] VendorFiles read_vendor_files(const std::filesystem::path& folder,
                                            const std::string& log_text,
                                            const std::string& error = "");

/// Where the vendor's compiler put the nodes of `model`, the file that it was given (node names
/// must be unique, as write_onnx leaves them): integer or float by the types of the QNN operation's
/// tensors, CPU with the provider's reason, folded nodes through the trace's sources. When the
/// session was not created the log's verdicts stand for it, and `rejections` name the node and its
/// reason.
[[nodiscard]] target::PlacementReport vendor_placement(const graph::Graph& model,
                                                       const VendorFiles& files);

/// The vendor's answer with our reasons and advice: where both put a node into the same place, the
/// rule that was broken and the change that mends it come from `predicted`, as do the findings
/// about what is accepted but computed wrongly. Nodes on which the two differ keep the vendor's
/// words.
[[nodiscard]] target::PlacementReport explain_placement(target::PlacementReport vendor,
                                                        const target::PlacementReport& predicted);

}  // namespace hexquant::pipeline
