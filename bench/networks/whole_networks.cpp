#include "networks/whole_networks.h"

#include <utility>

#include "core/format.h"
#include "hexquant/error.h"
#include "networks/network_families.h"

namespace hexquant::networks {
namespace {

struct Family {
  const char* name;
  graph::Graph (*make)(const NetworkOptions&);
};

constexpr Family kFamilies[] = {{"resnet18", make_resnet18},
                                {"resnet50", make_resnet50},
                                {"mobilenet_v1", make_mobilenet_v1},
                                {"mobilenet_v2", make_mobilenet_v2},
                                {"mobilenet_v3", make_mobilenet_v3},
                                {"efficientnet_lite", make_efficientnet_lite},
                                {"squeezenet", make_squeezenet},
                                {"vgg", make_vgg},
                                {"unet", make_unet},
                                {"detector", make_detector},
                                {"bert_mini", make_bert_mini},
                                {"vit_tiny", make_vit_tiny}};

}  // namespace

const std::vector<std::string>& network_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const Family& family : kFamilies) list.emplace_back(family.name);
    return list;
  }();
  return names;
}

graph::Graph make_network(const std::string& name, const NetworkOptions& options) {
  for (const Family& family : kFamilies) {
    if (name == family.name) return family.make(options);
  }
  throw Error(ErrorCode::kInvalidArgument, format("no network is called '{}'", name));
}

}  // namespace hexquant::networks
