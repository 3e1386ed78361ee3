#include "runtime/htp/worker_protocol.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::runtime {
namespace {

constexpr std::uint64_t kLongestHead = std::uint64_t{1} << 30;

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorCode::kIo, "htp_worker: " + what);
}

bool can_wait(int error_number) {
  return error_number == EINTR || error_number == EAGAIN || error_number == EWOULDBLOCK;
}

void send_bytes(int descriptor, const void* bytes, std::size_t count, const WaitReady& wait) {
  const auto* at = static_cast<const std::byte*>(bytes);
  while (count > 0) {
    const ssize_t sent = ::send(descriptor, at, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (!can_wait(errno)) fail(std::strerror(errno));
      wait(true);
      continue;
    }
    at += sent;
    count -= static_cast<std::size_t>(sent);
  }
}

void receive_bytes(int descriptor, void* bytes, std::size_t count, const WaitReady& wait) {
  auto* at = static_cast<std::byte*>(bytes);
  while (count > 0) {
    const ssize_t got = ::recv(descriptor, at, count, MSG_DONTWAIT);
    if (got == 0) fail("the other side is gone");
    if (got < 0) {
      if (!can_wait(errno)) fail(std::strerror(errno));
      wait(false);
      continue;
    }
    at += got;
    count -= static_cast<std::size_t>(got);
  }
}

}  // namespace

void send_message(int descriptor, const Message& message, const WaitReady& wait) {
  Json head = message.head;
  head["tensors"] = Json::array();
  for (const Tensor& tensor : message.tensors) {
    head["tensors"].push_back(
        {{"dtype", static_cast<int>(tensor.dtype())}, {"shape", tensor.shape()}});
  }
  const std::string text = head.dump(-1, ' ', false, Json::error_handler_t::replace);
  const auto length = static_cast<std::uint64_t>(text.size());
  send_bytes(descriptor, &length, sizeof length, wait);
  send_bytes(descriptor, text.data(), text.size(), wait);
  for (const Tensor& tensor : message.tensors) {
    send_bytes(descriptor, tensor.raw(), tensor.bytes(), wait);
  }
}

Message receive_message(int descriptor, const WaitReady& wait) {
  std::uint64_t length = 0;
  receive_bytes(descriptor, &length, sizeof length, wait);
  if (length > kLongestHead) fail("a message of an impossible length");
  std::string text(static_cast<std::size_t>(length), '\0');
  receive_bytes(descriptor, text.data(), text.size(), wait);
  Message message;
  try {
    message.head = Json::parse(text);
    for (const Json& entry : message.head.at("tensors")) {
      Tensor tensor(static_cast<DType>(entry.at("dtype").get<int>()),
                    entry.at("shape").get<Shape>());
      receive_bytes(descriptor, tensor.mutable_raw(), tensor.bytes(), wait);
      message.tensors.push_back(std::move(tensor));
    }
  } catch (const Json::exception& error) {
    fail(format("a message that is none: {}", error.what()));
  }
  return message;
}

Json to_json(const std::vector<ValueSpec>& values) {
  Json list = Json::array();
  for (const ValueSpec& value : values) {
    Json dims = Json::array();
    for (const graph::Dim& dim : value.shape) {
      dims.push_back(dim.is_fixed() ? Json(dim.value) : Json(dim.symbol));
    }
    list.push_back({{"name", value.name},
                    {"dtype", static_cast<int>(value.dtype)},
                    {"shape", std::move(dims)}});
  }
  return list;
}

std::vector<ValueSpec> specs_from_json(const Json& json) {
  std::vector<ValueSpec> values;
  try {
    for (const Json& entry : json) {
      ValueSpec value{entry.at("name").get<std::string>(),
                      static_cast<DType>(entry.at("dtype").get<int>()),
                      {}};
      for (const Json& dim : entry.at("shape")) {
        value.shape.push_back(dim.is_string() ? graph::Dim{-1, dim.get<std::string>()}
                                              : graph::Dim{dim.get<std::int64_t>(), ""});
      }
      values.push_back(std::move(value));
    }
  } catch (const Json::exception& error) {
    fail(format("a message that is none: {}", error.what()));
  }
  return values;
}

}  // namespace hexquant::runtime
