#pragma once

#include <onnxruntime_cxx_api.h>

#include <string>
#include <vector>

#include "runtime/session.h"

namespace hexquant::runtime {

struct Session::Impl {
  std::string name;
  std::vector<Tensor> weights;  // memory that the session refers to, so they outlive it
  Ort::Session session{nullptr};
  std::vector<ValueSpec> inputs;
  std::vector<ValueSpec> outputs;
  std::vector<std::string> fetches;      // each graph output once
  std::vector<std::size_t> fetch_index;  // fetch that carries outputs[i]

  void load(graph::Graph graph, const SessionOptions& options,
            const std::vector<std::string>& wanted);
  void describe_inputs();
  void describe_outputs(const std::vector<std::string>& wanted,
                        const std::vector<std::string>& carriers);
};

}  // namespace hexquant::runtime
