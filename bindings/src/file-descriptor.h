// A descriptor that closes itself. Shared by a JavaScript object and the workers that use it, so that close() during a
// worker takes effect when the worker is done, never under it.
#pragma once

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "error.h"

namespace xmcast {

class FileDescriptor {
 public:
  explicit FileDescriptor(int number) noexcept : number_(number) {}
  FileDescriptor(FileDescriptor&& other) noexcept : number_(other.number_) { other.number_ = -1; }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  FileDescriptor& operator=(FileDescriptor&&) = delete;
  ~FileDescriptor();

  int number() const noexcept { return number_; }

 private:
  int number_;
};

// For descriptors whose close() waits for the kernel (a packet socket: one RCU grace period, some 13 ms): the last owner hands
// it to a thread of its own instead of waiting.
std::shared_ptr<FileDescriptor> closedInBackground(FileDescriptor fd);

// What a JavaScript object holds until close(). Reading it afterwards fails with EBADF.
template <typename Resource>
class Closeable {
 public:
  void set(std::shared_ptr<Resource> resource) { resource_ = std::move(resource); }
  void close() { resource_.reset(); }
  bool isOpen() const { return resource_ != nullptr; }
  const std::shared_ptr<Resource>& require(const char* operation) const {
    if (!resource_) fail(EBADF, operation);
    return resource_;
  }

 private:
  std::shared_ptr<Resource> resource_;
};

// A second descriptor for the same kernel object, close-on-exec.
FileDescriptor duplicate(int number, const std::string& operation);

// Opens a pinned kernel object and refuses one of another kind. `kind`: "map", "prog" or "link".
FileDescriptor openPinnedObject(const std::string& path, const char* kind);

}  // namespace xmcast
