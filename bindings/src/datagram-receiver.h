// Reads datagrams of one socket in the event loop and hands each to JavaScript. Knows no protocol: the socket's class turns
// a datagram into arguments.
#pragma once

#include <napi.h>
#include <sys/socket.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "error.h"
#include "file-descriptor.h"
#include "poll-watcher.h"

namespace xmcast {

// One received datagram; valid during the call. The HEADROOM bytes before `data` may be written.
struct Datagram {
  static constexpr size_t HEADROOM = 16;
  uint8_t* data;
  size_t size;
  const msghdr& header;
};

class DatagramReceiver : public std::enable_shared_from_this<DatagramReceiver> {
 public:
  struct Listeners {
    // Makes the arguments of onDatagram; an empty list drops the datagram.
    std::function<std::vector<napi_value>(Napi::Env, Datagram&)> toArguments;
    Napi::Function onDatagram;
    // May be empty: errors of receiving are then nobody's concern.
    Napi::Function onError;
  };

  // `name` appears in errors: "receive from <name>".
  static std::shared_ptr<DatagramReceiver> start(Napi::Env env, std::shared_ptr<FileDescriptor> fd, const std::string& name,
                                                 Listeners listeners);

  void close();

 private:
  DatagramReceiver(Napi::Env env, std::shared_ptr<FileDescriptor> fd, const std::string& name, Listeners listeners);

  void drain();
  // false: nothing more to read now.
  bool receiveOne();
  void emitDatagram(Datagram& datagram);
  void emitError(int number);
  void call(const Napi::FunctionReference& listener, const std::vector<napi_value>& arguments);

  Napi::Env env_;
  std::shared_ptr<FileDescriptor> fd_;
  std::string operation_;
  std::function<std::vector<napi_value>(Napi::Env, Datagram&)> toArguments_;
  Napi::FunctionReference onDatagram_;
  Napi::FunctionReference onError_;
  Napi::AsyncContext context_;
  std::unique_ptr<uint8_t[]> buffer_;
  std::shared_ptr<PollWatcher> watcher_;
  bool closed_ = false;
};

}  // namespace xmcast
