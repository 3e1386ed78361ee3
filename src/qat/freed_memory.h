#pragma once

namespace hexquant::qat {

/// Lets the process keep the memory that it frees, for the C library's next large blocks. A step
/// makes and frees the same tensors as the one before; given back to the system and taken again,
/// each of their pages is cleared and mapped anew, a tenth of the time of small networks. For the
/// whole process; without effect where the C library is not glibc.
void keep_freed_memory();

}  // namespace hexquant::qat
