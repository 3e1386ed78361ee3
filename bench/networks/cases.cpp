#include "networks/cases.h"

#include <tuple>
#include <utility>

#include "calibrate/encode_activations.h"
#include "core/format.h"
#include "networks/whole_networks.h"
#include "pipeline/quantized_structure.h"
#include "plan/plan.h"
#include "quant/insert_qdq.h"
#include "target/target.h"
#include "weights/quantize_weights.h"

namespace hexquant::networks {
namespace {

/// Never negative: an encoding with negative values would keep Relu from joining its convolution.
bool is_positive(const graph::Graph& graph, const std::string& value) {
  const graph::Node* producer = graph.producer(value);
  if (producer == nullptr) return false;
  if (producer->is("Relu") || producer->is("Clip")) return true;
  for (const char* op : {"Concat", "MaxPool", "AveragePool", "GlobalAveragePool", "Resize",
                         "Reshape", "Transpose"}) {
    if (!producer->is(op)) continue;
    const std::size_t data_inputs = producer->is("Concat") ? producer->inputs().size() : 1;
    for (std::size_t i = 0; i < data_inputs; ++i) {
      if (!is_positive(graph, producer->input(i))) return false;
    }
    return true;
  }
  return false;
}

/// The zero point of what has both signs is not in the middle, as with real data: products of two
/// such values of 8 bits cost the vendor's program more than those of symmetric ones.
quant::ValueStatistics made_up_range(const graph::Graph& graph, const std::string& value) {
  quant::ValueStatistics statistics;
  statistics.count = 1000;
  const bool positive = is_positive(graph, value);
  statistics.min = positive ? 0.0F : -2.2F;
  statistics.max = positive ? 6.0F : 2.7F;
  return statistics;
}

Case network_case(const std::string& family, const std::string& suffix,
                  const NetworkOptions& options, bool kept_out, int act_bits = 8,
                  bool io_on_device = true) {
  Case item;
  item.name = family + suffix;
  item.kind = family;
  item.is_network = true;
  item.kept_out = kept_out;
  item.io_on_device = io_on_device;
  item.plan.act_bits = act_bits;
  item.make = [family, options] { return make_network(family, options); };
  return item;
}

}  // namespace

graph::Graph quantize_case(const Case& item, const std::string& soc) {
  graph::Graph graph = item.make();
  const quant::QuantPlan plan = plan::make_plan(graph, target::load_target(soc), item.plan);
  quant::Statistics statistics;
  for (const auto& [value, tap] : calibrate::taps_for_plan(graph, plan)) {
    statistics.values[value] = made_up_range(graph, value);
  }
  Findings findings;
  calibrate::ObserverOptions observer;
  observer.kind = calibrate::ObserverKind::kMinMax;
  quant::EncodingTable encodings =
      calibrate::encode_activations(graph, plan, statistics, observer, findings);
  std::ignore = weights::quantize_weights(graph, plan, encodings, {}, silent_progress());
  std::ignore = weights::quantize_biases(graph, plan, encodings);
  return quant::insert_qdq(graph, encodings);
}

graph::Graph structure_of_case(const Case& item, const std::string& soc) {
  const graph::Graph graph = item.make();
  return pipeline::quantized_structure(graph,
                                       plan::make_plan(graph, target::load_target(soc), item.plan));
}

std::vector<Case> network_cases() {
  const auto at = [](std::int64_t resolution, double width = 1.0, double depth = 1.0) {
    NetworkOptions options;
    options.resolution = resolution;
    options.width = width;
    options.depth = depth;
    return options;
  };
  NetworkOptions silu = at(0);
  silu.seed = 2;
  std::vector<Case> cases;
  // Families that the fit sees.
  for (const char* family :
       {"resnet18", "mobilenet_v2", "mobilenet_v3", "vgg", "detector", "bert_mini", "unet"}) {
    cases.push_back(network_case(family, "", at(0), false));
  }
  cases.push_back(network_case("mobilenet_v2", "_a16", at(0), false, 16));
  cases.push_back(network_case("resnet18", "_a16", at(0), false, 16));
  cases.push_back(network_case("mobilenet_v2", "_u8", at(192, 0.5), false, 8, false));
  cases.push_back(network_case("resnet18", "_w0.5_u8", at(128, 0.5), false, 8, false));
  cases.push_back(network_case("bert_mini", "_a16", at(64), false, 16));
  cases.push_back(network_case("mobilenet_v2", "_128_a16", at(128, 0.5), false, 16));
  cases.push_back(network_case("resnet18", "_160_a16_u8", at(160, 0.5), false, 16, false));
  cases.push_back(network_case("detector", "_160_a16", at(160, 1.5), false, 16));
  cases.push_back(network_case("unet", "_192", at(192, 0.75), false));
  cases.push_back(network_case("mobilenet_v3", "_256", at(256), false));
  cases.push_back(network_case("vgg", "_224_u8", at(224, 0.25), false, 8, false));
  cases.push_back(network_case("bert_mini", "_64", at(64, 2.0, 0.5), false));
  cases.push_back(network_case("bert_mini", "_196_u8", at(196, 0.75, 0.5), false, 8, false));
  cases.push_back(network_case("bert_mini", "_96_a16", at(96, 1.5, 0.5), false, 16));
  cases.push_back(network_case("bert_mini", "_32_a16_u8", at(32, 1.0, 1.0), false, 16, false));
  // Families that it does not see.
  for (const char* family :
       {"resnet50", "mobilenet_v1", "efficientnet_lite", "squeezenet", "vit_tiny"}) {
    cases.push_back(network_case(family, "", at(0), true));
    cases.push_back(network_case(family, "_small_u8", at(128, 0.5), true, 8, false));
  }
  cases.push_back(network_case("resnet50", "_a16", at(0), true, 16));
  cases.push_back(network_case("efficientnet_lite", "_a16", at(0), true, 16));
  cases.push_back(network_case("efficientnet_lite", "_260", at(260, 1.2, 1.4), true));
  // Other sizes of the families above.
  cases.push_back(network_case("resnet18", "_320", at(320, 0.75), true));
  cases.push_back(network_case("mobilenet_v3", "_160", at(160, 0.75), true, 8, false));
  cases.push_back(network_case("detector", "_silu", silu, true));
  cases.push_back(network_case("detector", "_416", at(416), true));
  cases.push_back(network_case("unet", "_256", at(256, 0.5), true));
  cases.push_back(network_case("bert_mini", "_wide", at(128, 1.5, 1.5), true, 16));
  return cases;
}

std::vector<Case> variant_cases() {
  std::vector<Case> cases;
  for (const double width : {0.35, 0.5, 0.75, 1.0, 1.4}) {
    for (const std::int64_t resolution : {96, 128, 160, 192, 224}) {
      for (const int act_bits : {8, 16}) {
        NetworkOptions options;
        options.width = width;
        options.resolution = resolution;
        cases.push_back(network_case("mobilenet_v2",
                                     format("_w{}_{}_a{}", width, resolution, act_bits), options,
                                     true, act_bits));
        cases.back().kind = "variants";
      }
    }
  }
  return cases;
}

std::vector<Case> vtcm_cases() {
  std::vector<Case> cases;
  for (const Case& network : network_cases()) {
    const bool wanted = network.name == "resnet50" || network.name == "resnet18_a16" ||
                        network.name == "unet_256" || network.name == "mobilenet_v1" ||
                        network.name == "efficientnet_lite_a16" || network.name == "detector_416";
    if (!wanted) continue;
    for (const int vtcm_mb : {1, 2, 4}) {
      cases.push_back(network);
      cases.back().name += format("_vtcm{}", vtcm_mb);
      cases.back().kind = "vtcm";
      cases.back().vtcm_mb = vtcm_mb;
      cases.back().kept_out = true;
    }
  }
  return cases;
}

std::vector<Case> all_cases() {
  std::vector<Case> cases = micro_cases();
  for (auto* list : {network_cases, variant_cases, vtcm_cases}) {
    std::vector<Case> more = list();
    cases.insert(cases.end(), std::make_move_iterator(more.begin()),
                 std::make_move_iterator(more.end()));
  }
  return cases;
}

}  // namespace hexquant::networks
