#include "poll-watcher.h"

#include <utility>

#include "error.h"

namespace xmcast {

PollWatcher::PollWatcher(std::shared_ptr<FileDescriptor> fd, std::function<void()> onReadable)
    : fd_(std::move(fd)), onReadable_(std::move(onReadable)) {}

std::shared_ptr<PollWatcher> PollWatcher::start(Napi::Env env, std::shared_ptr<FileDescriptor> fd,
                                                std::function<void()> onReadable) {
  uv_loop_s* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) fail(EINVAL, "find the event loop");
  const std::shared_ptr<PollWatcher> watcher(new PollWatcher(std::move(fd), std::move(onReadable)));
  const int error = uv_poll_init(loop, &watcher->handle_, watcher->fd_->number());
  if (error < 0) fail(-error, "watch a socket");
  uv_timer_init(loop, &watcher->timer_);
  watcher->handle_.data = watcher->timer_.data = watcher.get();
  watcher->open_ = 2;
  watcher->self_ = watcher;
  napi_add_async_cleanup_hook(env, onEnvironmentEnd, watcher.get(), &watcher->hook_);
  uv_poll_start(&watcher->handle_, UV_READABLE, onPoll);
  return watcher;
}

void PollWatcher::close() {
  if (closing_) return;
  closing_ = true;
  uv_poll_stop(&handle_);
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_), onClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_), onClosed);
}

void PollWatcher::pause(uint64_t milliseconds) {
  if (closing_) return;
  uv_poll_stop(&handle_);
  uv_timer_start(&timer_, onPauseOver, milliseconds, 0);
}

void PollWatcher::onPauseOver(uv_timer_t* timer) {
  auto* watcher = static_cast<PollWatcher*>(timer->data);
  if (!watcher->closing_) uv_poll_start(&watcher->handle_, UV_READABLE, onPoll);
}

// A pending socket error (netlink overrun, interface down) makes libuv report EBADF and stop the handle, though the socket is
// well: reading it fetches and clears the error, and the watch starts again.
void PollWatcher::onPoll(uv_poll_t* handle, int status, int) {
  auto* watcher = static_cast<PollWatcher*>(handle->data);
  const std::shared_ptr<PollWatcher> alive = watcher->self_;
  watcher->onReadable_();
  if (status < 0 && !watcher->closing_ && !uv_is_active(reinterpret_cast<uv_handle_t*>(&watcher->timer_)))
    uv_poll_start(handle, UV_READABLE, onPoll);
}

void PollWatcher::onClosed(uv_handle_t* handle) {
  auto* watcher = static_cast<PollWatcher*>(handle->data);
  if (--watcher->open_ > 0) return;
  const std::shared_ptr<PollWatcher> last = std::move(watcher->self_);
  // The callback may own the watcher in turn: let go of both, or neither is ever freed.
  watcher->onReadable_ = nullptr;
  watcher->fd_.reset();
  if (watcher->hook_ != nullptr) napi_remove_async_cleanup_hook(watcher->hook_);
}

// The environment waits until onClosed() takes the hook away.
void PollWatcher::onEnvironmentEnd(napi_async_cleanup_hook_handle, void* self) { static_cast<PollWatcher*>(self)->close(); }

}  // namespace xmcast
