#include "hexquant/version.h"

namespace hexquant {

const char* version() noexcept {
  return HEXQUANT_VERSION;
}

}  // namespace hexquant
