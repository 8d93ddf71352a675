// Calling JavaScript from the event loop. An exception of a listener is the program's bug: it becomes an uncaughtException,
// as from any callback of Node's own, and never unwinds into libuv.
#pragma once

#include <napi.h>

namespace xmcast {

template <typename Body>
void reportThrown(Napi::Env env, Body&& body) {
  try {
    body();
  } catch (const Napi::Error& error) {
    napi_fatal_exception(env, error.Value());
  }
}

}  // namespace xmcast
