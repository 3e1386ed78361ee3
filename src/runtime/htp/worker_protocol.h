#pragma once

#include <functional>
#include <vector>

#include "core/json.h"
#include "hexquant/tensor.h"
#include "runtime/session.h"

// Messages between hexquant and htp_worker over a stream socket: the length of a JSON text (8
// bytes, this machine's order), the text, then the bytes of the tensors that it lists.
namespace hexquant::runtime {

struct Message {
  Json head = Json::object();
  std::vector<Tensor> tensors;
};

/// Waits until the descriptor is ready for reading (false) or writing (true); may throw to give up.
using WaitReady = std::function<void(bool to_write)>;

/// @throws Error(kIo) when the other side is gone, and what `wait` throws
void send_message(int descriptor, const Message& message, const WaitReady& wait);

/// @throws Error(kIo) when the other side is gone or sends something else; what `wait` throws
[[nodiscard]] Message receive_message(int descriptor, const WaitReady& wait);

[[nodiscard]] Json to_json(const std::vector<ValueSpec>& values);
/// @throws Error(kIo) for anything that to_json does not write
[[nodiscard]] std::vector<ValueSpec> specs_from_json(const Json& json);

}  // namespace hexquant::runtime
