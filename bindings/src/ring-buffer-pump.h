// The thread that empties one ring buffer. Copies records out and hands them on in batches; never touches JavaScript.
#pragma once

#include <bpf/libbpf.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "file-descriptor.h"
#include "map.h"

namespace xmcast {

class RingBufferPump {
 public:
  using Record = std::vector<uint8_t>;
  using Batch = std::vector<Record>;
  struct Limits {
    uint32_t maxBatch;
    // Records handed on and not yet taken(), above which new ones are dropped: a stalled consumer must not eat the memory.
    uint32_t maxPending;
  };

  RingBufferPump(std::shared_ptr<MapHandle> map, Limits limits);
  ~RingBufferPump();
  RingBufferPump(const RingBufferPump&) = delete;
  RingBufferPump& operator=(const RingBufferPump&) = delete;

  // `deliver` runs on the pump's thread and must not block; false means that nobody takes records any more.
  void start(std::function<bool(std::unique_ptr<Batch>)> deliver);
  // Returns when the thread is gone and every descriptor is closed. Idempotent.
  void stop();
  // The consumer has this many records off its queue. Any thread.
  void taken(size_t records) { pending_ -= records; }
  uint64_t dropped() const { return dropped_; }

 private:
  void run();
  int accept(const void* data, size_t size);
  void flush();

  std::shared_ptr<MapHandle> map_;
  Limits limits_;
  std::unique_ptr<FileDescriptor> wake_;
  std::unique_ptr<ring_buffer, void (*)(ring_buffer*)> ring_;
  std::function<bool(std::unique_ptr<Batch>)> deliver_;
  std::unique_ptr<Batch> batch_;
  std::atomic<size_t> pending_{0};
  std::atomic<uint64_t> dropped_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace xmcast
