// How a failed system call becomes the NativeError of index.d.ts. Owns that shape; no call is made here.
#pragma once

#include <napi.h>

#include <cerrno>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "libbpf-log.h"

namespace xmcast {

// A failed call, without JavaScript: may be thrown on a worker thread.
class SystemFailure : public std::exception {
 public:
  // `number` is a positive errno. Takes what libbpf said on this thread.
  SystemFailure(int number, std::string operation);

  const char* what() const noexcept override { return operation.c_str(); }

  int number;
  std::string operation;
  std::string libbpfLog;
  // Name to report where one errno has two, e.g. EWOULDBLOCK for EAGAIN.
  std::string code;
  // Batches: how many elements were done before the failure.
  std::optional<uint32_t> processed;
};

[[noreturn]] void fail(int number, std::string operation);

Napi::Error toError(Napi::Env env, const SystemFailure& failure);

// Runs a synchronous method: a SystemFailure leaves as a JavaScript exception.
template <typename Body>
auto guarded(Napi::Env env, Body&& body) -> decltype(body()) {
  LibbpfLogScope log;
  try {
    return body();
  } catch (const SystemFailure& failure) {
    throw toError(env, failure);
  } catch (const std::bad_alloc&) {
    throw toError(env, SystemFailure(ENOMEM, "allocate memory"));
  }
}

}  // namespace xmcast
