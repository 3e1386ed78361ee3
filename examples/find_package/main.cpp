// Quantizes a model from C++: quantize_example MODEL DATA PREPROCESS OUT
#include <cstdio>

#include "hexquant/error.h"
#include "hexquant/quantize.h"

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: quantize_example MODEL DATA PREPROCESS OUT\n");
    return 2;
  }
  hexquant::Recipe recipe;
  recipe.model = argv[1];
  recipe.data.sources = {argv[2]};
  recipe.data.preprocess = argv[3];
  recipe.output = argv[4];
  try {
    const hexquant::QuantizeResult result = hexquant::quantize(recipe);
    std::printf("SQNR %.1f dB, report in %s\n", result.sqnr_db,
                (result.output / "report.html").c_str());
  } catch (const hexquant::Error& error) {
    std::fprintf(stderr, "quantize_example: %s\n", error.what());
    return 2;
  }
  return 0;
}
