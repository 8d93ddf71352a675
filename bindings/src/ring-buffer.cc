#include "ring-buffer.h"

#include <cstring>
#include <utility>

#include "arguments.h"
#include "callback.h"
#include "error.h"

namespace xmcast {
namespace {

constexpr uint32_t DEFAULT_MAX_BATCH = 256;
constexpr uint32_t DEFAULT_MAX_PENDING = 65536;

// One buffer for all of them, of which each is a view: a buffer of its own costs more than all else that is done with a record.
Napi::Array recordsOf(Napi::Env env, const RingBufferPump::Batch& batch) {
  size_t bytes = 0;
  for (const auto& record : batch) bytes += record.size();
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, bytes);
  Napi::Array records = Napi::Array::New(env, batch.size());
  size_t offset = 0;
  for (uint32_t i = 0; i < batch.size(); i++) {
    const auto& record = batch[i];
    memcpy(static_cast<uint8_t*>(buffer.Data()) + offset, record.data(), record.size());
    records.Set(i, Napi::Uint8Array::New(env, record.size(), buffer, offset));
    offset += record.size();
  }
  return records;
}

RingBufferPump::Limits limitsArgument(const Napi::Value& value) {
  RingBufferPump::Limits limits{DEFAULT_MAX_BATCH, DEFAULT_MAX_PENDING};
  if (value.IsUndefined()) return limits;
  const Napi::Object options = objectArgument(value, "options");
  limits.maxBatch = optionalUint32(options.Get("maxBatch"), "maxBatch", limits.maxBatch);
  limits.maxPending = optionalUint32(options.Get("maxPending"), "maxPending", limits.maxPending);
  if (limits.maxBatch == 0 || limits.maxPending == 0) fail(EINVAL, "read a ring buffer with maxBatch or maxPending 0");
  return limits;
}

}  // namespace

void RingBufferReader::define(Napi::Env env, Napi::Object exports) {
  exports.Set("RingBufferReader", DefineClass(env, "RingBufferReader",
                                              {
                                                  InstanceAccessor<&RingBufferReader::dropped>("dropped"),
                                                  InstanceMethod<&RingBufferReader::close>("close"),
                                              }));
}

RingBufferReader::RingBufferReader(const Napi::CallbackInfo& info) : Napi::ObjectWrap<RingBufferReader>(info) {
  guarded(info.Env(), [&] {
    const std::shared_ptr<MapHandle> map = BpfMap::argument(info[0]);
    const Napi::Function onRecords = functionArgument(info[1], "onRecords");
    start(info.Env(), onRecords, map, limitsArgument(info[2]));
  });
}

RingBufferReader::~RingBufferReader() { shutDown(); }

void RingBufferReader::start(Napi::Env env, Napi::Function onRecords, std::shared_ptr<MapHandle> map,
                             RingBufferPump::Limits limits) {
  pump_ = std::make_shared<RingBufferPump>(std::move(map), limits);
  auto shared = std::make_unique<Shared>();
  shared->pump = pump_;
  channel_ = Channel::New(
      env, onRecords, "xmcast:RingBufferReader", 0, 1, shared.get(), [](Napi::Env, void*, Shared* unused) { delete unused; },
      static_cast<void*>(nullptr));
  shared_ = shared.release();
  try {
    pump_->start([channel = channel_](std::unique_ptr<RingBufferPump::Batch> batch) {
      if (channel.NonBlockingCall(batch.get()) != napi_ok) return false;
      // Owned by the queue now: deliver() frees it.
      batch.release();
      return true;
    });
  } catch (const SystemFailure&) {
    shutDown();
    throw;
  }
  napi_add_env_cleanup_hook(env, atExit, this);
  // Running until close(), whoever holds it.
  Ref();
}

// After this returns no callback runs: the thread is joined, and what is still queued is freed without being delivered.
void RingBufferReader::shutDown() {
  if (shared_ == nullptr) return;
  shared_->closed = true;
  shared_ = nullptr;
  pump_->stop();
  channel_.Abort();
}

void RingBufferReader::atExit(void* self) { static_cast<RingBufferReader*>(self)->shutDown(); }

void RingBufferReader::deliver(Napi::Env env, Napi::Function callback, Shared* shared, RingBufferPump::Batch* batch) {
  const std::unique_ptr<RingBufferPump::Batch> owned(batch);
  // Without an environment the queue is being torn down, and `shared` is already gone.
  if (static_cast<napi_env>(env) == nullptr || shared->closed) return;
  shared->pump->taken(owned->size());
  Napi::HandleScope scope(env);
  reportThrown(env, [&] { callback.Call({recordsOf(env, *owned)}); });
}

Napi::Value RingBufferReader::dropped(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), pump_ == nullptr ? 0 : static_cast<double>(pump_->dropped()));
}

void RingBufferReader::close(const Napi::CallbackInfo& info) {
  if (shared_ == nullptr) return;
  shutDown();
  napi_remove_env_cleanup_hook(info.Env(), atExit, this);
  Unref();
}

}  // namespace xmcast
