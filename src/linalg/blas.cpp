#include "linalg/blas.h"

#include <cblas.h>

#include <limits>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::linalg {

int blas_size(std::int64_t value) {
  if (value < 0 || value > std::numeric_limits<int>::max()) {
    throw Error(ErrorCode::kInvalidArgument,
                format("a matrix dimension of {} does not fit BLAS", value));
  }
  return static_cast<int>(value);
}

void use_one_blas_thread() {
  static const bool once = [] {
    openblas_set_num_threads(1);
    return true;
  }();
  static_cast<void>(once);
}

}  // namespace hexquant::linalg
