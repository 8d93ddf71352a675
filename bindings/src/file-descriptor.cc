#include "file-descriptor.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <system_error>
#include <thread>

namespace xmcast {
namespace {

// A bpffs file of any kind opens; taking a program for a map would misread every field of its info.
bool isKind(int number, const std::string& kind) {
  const std::string entry = "/proc/self/fd/" + std::to_string(number);
  char target[64];
  const ssize_t length = readlink(entry.c_str(), target, sizeof(target));
  if (length <= 0) return false;
  const std::string name(target, static_cast<size_t>(length));
  return name.find("bpf-" + kind) != std::string::npos || name.find("bpf_" + kind) != std::string::npos;
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  // EINTR after close() on Linux still means closed: no retry.
  if (number_ >= 0) close(number_);
}

std::shared_ptr<FileDescriptor> closedInBackground(FileDescriptor fd) {
  return std::shared_ptr<FileDescriptor>(new FileDescriptor(std::move(fd)), [](FileDescriptor* last) {
    try {
      std::thread([last] { delete last; }).detach();
    } catch (const std::system_error&) {
      // No thread to be had: close here and wait.
      delete last;
    }
  });
}

FileDescriptor duplicate(int number, const std::string& operation) {
  const int copy = fcntl(number, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) fail(errno, operation);
  return FileDescriptor(copy);
}

FileDescriptor openPinnedObject(const std::string& path, const char* kind) {
  const int number = bpf_obj_get(path.c_str());
  if (number < 0) fail(-number, "open pinned " + std::string(kind) + " " + path);
  FileDescriptor opened(number);
  if (!isKind(number, kind)) fail(EINVAL, "open " + path + " as a pinned " + kind);
  return opened;
}

}  // namespace xmcast
