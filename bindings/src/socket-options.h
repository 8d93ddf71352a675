// Setting up sockets: every failure names the option.
#pragma once

#include <sys/socket.h>

#include <string>

#include "error.h"
#include "file-descriptor.h"

namespace xmcast {

inline FileDescriptor openSocket(int family, int type, int protocol, const std::string& operation) {
  const int number = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  if (number < 0) fail(errno, operation);
  return FileDescriptor(number);
}

template <typename Value>
void setOption(const FileDescriptor& fd, int level, int option, const Value& value, const std::string& operation) {
  if (setsockopt(fd.number(), level, option, &value, sizeof(value)) < 0) fail(errno, operation);
}

// Beyond net.core.rmem_max where the process may (CAP_NET_ADMIN), up to it where not. 0: the system's default.
inline void setReceiveBuffer(const FileDescriptor& fd, uint32_t bytes, const std::string& operation) {
  if (bytes == 0) return;
  const int size = bytes > INT32_MAX ? INT32_MAX : static_cast<int>(bytes);
  if (setsockopt(fd.number(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) == 0) return;
  setOption(fd, SOL_SOCKET, SO_RCVBUF, size, operation);
}

}  // namespace xmcast
