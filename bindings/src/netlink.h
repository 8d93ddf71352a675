// NetlinkSocket of index.d.ts: one NETLINK_ROUTE socket, raw bytes in and out. Parses nothing.
#pragma once

#include <napi.h>

#include <memory>

#include "datagram-receiver.h"
#include "file-descriptor.h"

namespace xmcast {

class NetlinkSocket : public Napi::ObjectWrap<NetlinkSocket> {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  explicit NetlinkSocket(const Napi::CallbackInfo& info);

 private:
  void send(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  Closeable<FileDescriptor> fd_;
  std::shared_ptr<DatagramReceiver> receiver_;
};

}  // namespace xmcast
