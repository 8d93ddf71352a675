// RingBufferReader of index.d.ts: carries batches from the pump's thread to a JavaScript callback.
#pragma once

#include <napi.h>

#include <memory>

#include "ring-buffer-pump.h"

namespace xmcast {

class RingBufferReader : public Napi::ObjectWrap<RingBufferReader> {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  explicit RingBufferReader(const Napi::CallbackInfo& info);
  ~RingBufferReader() override;

 private:
  // Lives until the last queued batch is gone, which may be after this object.
  struct Shared {
    std::shared_ptr<RingBufferPump> pump;
    bool closed = false;
  };
  static void deliver(Napi::Env env, Napi::Function callback, Shared* shared, RingBufferPump::Batch* batch);
  using Channel = Napi::TypedThreadSafeFunction<Shared, RingBufferPump::Batch, deliver>;

  void start(Napi::Env env, Napi::Function onRecords, std::shared_ptr<MapHandle> map, RingBufferPump::Limits limits);
  void shutDown();
  static void atExit(void* self);

  Napi::Value dropped(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  std::shared_ptr<RingBufferPump> pump_;
  Shared* shared_ = nullptr;
  Channel channel_;
};

}  // namespace xmcast
