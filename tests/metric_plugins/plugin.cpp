#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>

#include "hexquant/metric_plugin.h"

// Share of items whose label is the index of the largest score. A labels file that holds a word
// instead makes it fail in that way.
#ifndef METRIC_ABI
#define METRIC_ABI hexquant::metric_plugin::kAbiVersion
#endif
#ifndef METRIC_BEGIN
#define METRIC_BEGIN hexquant_metric_begin
#endif

namespace {

struct State {
  std::ifstream labels;
  std::string order;  ///< "crash", "hang", ...; empty = score
  double right = 0.0;
  double items = 0.0;
};

std::string order_in(const char* labels) {
  std::string word;
  std::ifstream(labels) >> word;
  return word.find_first_not_of("0123456789") == std::string::npos ? "" : word;
}

}  // namespace

extern "C" {

std::int32_t hexquant_metric_abi() {
  return METRIC_ABI;
}

void* METRIC_BEGIN(const char* labels, std::int64_t items) {
  std::printf("%lld items\n", static_cast<long long>(items));
  auto* state = new State{std::ifstream(labels), order_in(labels)};
  if (state->order != "refuse") return state;
  std::fputs("these are no labels\n", stderr);
  delete state;
  return nullptr;
}

std::int32_t hexquant_metric_add(void* state, std::int64_t item,
                                 const hexquant::metric_plugin::Output* outputs,
                                 std::int32_t count) {
  State& one = *static_cast<State*>(state);
  if (one.order == "crash" && item == 1) std::abort();
  if (one.order == "hang") ::sleep(60);
  if (!one.order.empty()) return 0;
  const hexquant::metric_plugin::Output& scores = outputs[0];
  if (count < 1 || scores.element_type != 1 || scores.rank < 2 || scores.name[0] == '\0') return 1;
  const auto* values = static_cast<const float*>(scores.data);
  int label = 0;
  if (!(one.labels >> label) || label >= scores.shape[1]) {
    std::fprintf(stderr, "item %lld has no label\n", static_cast<long long>(item));
    return 1;
  }
  bool is_right = true;
  for (std::int64_t c = 0; c < scores.shape[1]; ++c) is_right &= values[c] <= values[label];
  one.right += is_right ? 1.0 : 0.0;
  one.items += 1.0;
  return 0;
}

std::int32_t hexquant_metric_end(void* state, double* value) {
  auto* one = static_cast<State*>(state);
  *value = one->order == "nan" ? std::numeric_limits<double>::quiet_NaN() : one->right / one->items;
  delete one;
  return 0;
}

}  // extern "C"
