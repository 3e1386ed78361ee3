#include "hexquant/quantize.h"

#include "core/file_io.h"
#include "hexquant/error.h"
#include "pipeline/quantize_job.h"

namespace hexquant {

QuantizeResult quantize(const Recipe& recipe, int threads, ProgressSink& progress) {
  if (recipe.training.enabled) {
    throw Error(ErrorCode::kInvalidArgument,
                "the recipe trains the model: run it with 'hexquant qat --recipe FILE'");
  }
  StagedDirectory output(recipe.output);
  const pipeline::QuantizeJob job =
      pipeline::run_quantize_job(recipe, output.path(), threads, progress);
  pipeline::write_reports(output.path(), "quantize", job.report);
  output.commit();
  return job.result;
}

}  // namespace hexquant
