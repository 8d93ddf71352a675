// Watches one descriptor in Node's event loop. Owns the uv_poll handle and its release; reads nothing itself.
#pragma once

#include <napi.h>
#include <uv.h>

#include <functional>
#include <memory>

#include "file-descriptor.h"

namespace xmcast {

class PollWatcher : public std::enable_shared_from_this<PollWatcher> {
 public:
  // Keeps itself, the descriptor and `onReadable` alive until close() or the end of the environment.
  static std::shared_ptr<PollWatcher> start(Napi::Env env, std::shared_ptr<FileDescriptor> fd, std::function<void()> onReadable);

  // No onReadable() after this. The descriptor is released when libuv has let go of it.
  void close();

 private:
  PollWatcher(std::shared_ptr<FileDescriptor> fd, std::function<void()> onReadable);

  static void onPoll(uv_poll_t* handle, int status, int events);
  static void onClosed(uv_handle_t* handle);
  static void onEnvironmentEnd(napi_async_cleanup_hook_handle hook, void* self);

  uv_poll_t handle_{};
  napi_async_cleanup_hook_handle hook_ = nullptr;
  std::shared_ptr<FileDescriptor> fd_;
  std::function<void()> onReadable_;
  bool closing_ = false;
  // Set while libuv knows the handle.
  std::shared_ptr<PollWatcher> self_;
};

}  // namespace xmcast
