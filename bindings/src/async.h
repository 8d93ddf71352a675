// Promises for calls that may block. Owns the way from JavaScript to a worker thread of libuv and back; knows no BPF.
#pragma once

#include <napi.h>

#include <functional>

#include "error.h"

namespace xmcast {

// Runs `work` on a worker thread, where no JavaScript value may be touched, then `finish` on JavaScript's thread to make the
// result. `work` reports failure by throwing SystemFailure. Whatever either needs it must own (shared_ptr, copies).
Napi::Promise runAsync(Napi::Env env, std::function<void()> work, std::function<Napi::Value(Napi::Env)> finish);

// Runs a method that returns a promise: what it throws before the promise exists becomes a rejection.
Napi::Value promised(Napi::Env env, const std::function<Napi::Value()>& body);

}  // namespace xmcast
