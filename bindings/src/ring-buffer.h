// RingBufferReader of index.d.ts: hands the records of one ring buffer to a JavaScript callback, in the event loop.
#pragma once

#include <bpf/libbpf.h>
#include <napi.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "map.h"
#include "poll-watcher.h"

namespace xmcast {

// The ring itself is the queue: what JavaScript is late for stays in it, and what finds no room is the program's to count.
class RingBufferDrain : public std::enable_shared_from_this<RingBufferDrain> {
 public:
  // Keeps itself, the map and the callback alive until close() or the end of the environment.
  static std::shared_ptr<RingBufferDrain> start(Napi::Env env, std::shared_ptr<MapHandle> map, Napi::Function onRecords,
                                                uint32_t maxBatch);

  // No callback after this.
  void close();

 private:
  RingBufferDrain(Napi::Env env, std::shared_ptr<MapHandle> map, Napi::Function onRecords, uint32_t maxBatch);

  void drain();
  void moderate(size_t records);
  static int onRecord(void* self, void* data, size_t size);
  Napi::Array takeRecords();

  Napi::Env env_;
  std::shared_ptr<MapHandle> map_;
  Napi::FunctionReference onRecords_;
  Napi::AsyncContext context_;
  uint32_t maxBatch_;
  std::unique_ptr<ring_buffer, void (*)(ring_buffer*)> ring_;
  // The batch being read: the bytes of all records, and where each ends.
  std::vector<uint8_t> bytes_;
  std::vector<size_t> ends_;
  std::shared_ptr<PollWatcher> watcher_;
  // When the ring was last read, and how often in a row it was soon after the time before.
  uint64_t lastDrainNs_ = 0;
  uint32_t hurried_ = 0;
  bool closed_ = false;
};

class RingBufferReader : public Napi::ObjectWrap<RingBufferReader> {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  explicit RingBufferReader(const Napi::CallbackInfo& info);

 private:
  void close(const Napi::CallbackInfo& info);

  std::shared_ptr<RingBufferDrain> drain_;
};

}  // namespace xmcast
