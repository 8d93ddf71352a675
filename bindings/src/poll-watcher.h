// Watches one descriptor in Node's event loop. Owns the handles of libuv and their release; reads nothing itself.
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

  // No onReadable() for so long; then, if there is something to read, at once.
  void pause(uint64_t milliseconds);

 private:
  PollWatcher(std::shared_ptr<FileDescriptor> fd, std::function<void()> onReadable);

  static void onPoll(uv_poll_t* handle, int status, int events);
  static void onPauseOver(uv_timer_t* timer);
  static void onClosed(uv_handle_t* handle);
  static void onEnvironmentEnd(napi_async_cleanup_hook_handle hook, void* self);

  uv_poll_t handle_{};
  uv_timer_t timer_{};
  // Handles that libuv has yet to let go of.
  int open_ = 0;
  napi_async_cleanup_hook_handle hook_ = nullptr;
  std::shared_ptr<FileDescriptor> fd_;
  std::function<void()> onReadable_;
  bool closing_ = false;
  // Set while libuv knows the handle.
  std::shared_ptr<PollWatcher> self_;
};

}  // namespace xmcast
