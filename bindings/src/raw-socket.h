// RawIpSocket of index.d.ts: IPv4 packets of one protocol, with their own header, in and out of a named interface.
#pragma once

#include <napi.h>

#include <memory>

#include "datagram-receiver.h"
#include "file-descriptor.h"

namespace xmcast {

class RawIpSocket : public Napi::ObjectWrap<RawIpSocket> {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  explicit RawIpSocket(const Napi::CallbackInfo& info);

 private:
  void send(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  Closeable<FileDescriptor> fd_;
  uint32_t protocol_ = 0;
  std::shared_ptr<DatagramReceiver> receiver_;
};

}  // namespace xmcast
