#pragma once

#include "runtime/session.h"

namespace hexquant::runtime {

/// What the program htp_worker does: loads the plug-in it is told to, opens one model with it and
/// runs it, answering messages (worker_protocol.h) on a socket until it is told to close or the
/// other side is gone. Requests and answers:
///   {"op":"open","model","name","library","options","entries","log_level"}
///                            -> {"ok":true,"inputs","outputs","peak_bytes"}
///   {"op":"run","names"} + tensors -> {"ok":true,"peak_bytes","seconds"} + tensors
///   {"op":"close"}           -> {"ok":true}, after everything is written
/// A failure is {"ok":false,"error"}.
/// @param log  takes the messages of ONNX Runtime and the plug-in
/// @return exit status of the process
int serve_worker(int descriptor, LogSink log);

}  // namespace hexquant::runtime
