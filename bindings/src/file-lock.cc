#include "file-lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <string>

#include "arguments.h"
#include "error.h"

namespace xmcast {
namespace {

constexpr mode_t LOCK_FILE_MODE = 0600;

// O_NONBLOCK: a FIFO in the place of the lock file must not hang the caller. A new file is never made through a symbolic link.
int openForLock(const char* path) {
  constexpr int FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  const int number = open(path, FLAGS);
  if (number >= 0 || errno != ENOENT) return number;
  return open(path, FLAGS | O_CREAT | O_NOFOLLOW, LOCK_FILE_MODE);
}

std::shared_ptr<FileDescriptor> lockFile(const std::string& path) {
  const std::string operation = "lock " + path;
  const int number = openForLock(path.c_str());
  if (number < 0) fail(errno, operation);
  auto fd = std::make_shared<FileDescriptor>(number);
  if (flock(number, LOCK_EX | LOCK_NB) == 0) return fd;
  SystemFailure failure(errno, operation);
  // One number, two names: for locks flock(2) speaks of EWOULDBLOCK.
  if (failure.number == EWOULDBLOCK) failure.code = "EWOULDBLOCK";
  throw failure;
}

}  // namespace

void FileLock::define(Napi::Env env, Napi::Object exports) {
  exports.Set("FileLock", DefineClass(env, "FileLock", {InstanceMethod<&FileLock::close>("close")}));
}

FileLock::FileLock(const Napi::CallbackInfo& info) : Napi::ObjectWrap<FileLock>(info) {
  guarded(info.Env(), [&] { fd_.set(lockFile(stringArgument(info[0], "path"))); });
}

void FileLock::close(const Napi::CallbackInfo&) { fd_.close(); }

}  // namespace xmcast
