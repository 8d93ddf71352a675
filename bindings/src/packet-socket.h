// PacketSocket of index.d.ts: whole Ethernet frames of one interface, as they are on the wire.
#pragma once

#include <napi.h>

#include <memory>

#include "datagram-receiver.h"
#include "file-descriptor.h"

namespace xmcast {

class PacketSocket : public Napi::ObjectWrap<PacketSocket> {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  explicit PacketSocket(const Napi::CallbackInfo& info);

 private:
  void send(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  Closeable<FileDescriptor> fd_;
  uint32_t ifindex_ = 0;
  std::shared_ptr<DatagramReceiver> receiver_;
};

}  // namespace xmcast
