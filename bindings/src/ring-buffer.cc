#include "ring-buffer.h"

#include <cstring>
#include <utility>

#include "arguments.h"
#include "callback.h"
#include "error.h"

namespace xmcast {
namespace {

constexpr uint32_t DEFAULT_MAX_BATCH = 256;
// More often than that, waking up costs more than what is done with the records; so they gather for a millisecond, as in a
// network driver that moderates its interrupts. A few that come together are never kept waiting.
constexpr uint64_t HURRY_NS = 200'000;
constexpr uint32_t HURRIED_DRAINS = 16;
constexpr uint64_t GATHER_MS = 1;
constexpr size_t WORTH_GATHERING = 8;
// From the callback of a record: it was taken, no more now.
constexpr int STOP = -ECANCELED;

uint32_t maxBatchArgument(const Napi::Value& value) {
  if (value.IsUndefined()) return DEFAULT_MAX_BATCH;
  const uint32_t maxBatch = optionalUint32(objectArgument(value, "options").Get("maxBatch"), "maxBatch", DEFAULT_MAX_BATCH);
  if (maxBatch == 0) fail(EINVAL, "read a ring buffer with maxBatch 0");
  return maxBatch;
}

}  // namespace

RingBufferDrain::RingBufferDrain(Napi::Env env, std::shared_ptr<MapHandle> map, Napi::Function onRecords, uint32_t maxBatch)
    : env_(env),
      map_(std::move(map)),
      onRecords_(Napi::Persistent(onRecords)),
      context_(env, "xmcast:RingBufferReader"),
      maxBatch_(maxBatch),
      ring_(nullptr, ring_buffer__free) {
  ring_.reset(ring_buffer__new(map_->number(), onRecord, this, nullptr));
  if (!ring_) fail(errno, "open ring buffer " + map_->name);
}

std::shared_ptr<RingBufferDrain> RingBufferDrain::start(Napi::Env env, std::shared_ptr<MapHandle> map, Napi::Function onRecords,
                                                        uint32_t maxBatch) {
  // A descriptor of its own: the map may be closed while it is read.
  auto fd = std::make_shared<FileDescriptor>(duplicate(map->number(), "watch ring buffer " + map->name));
  const std::shared_ptr<RingBufferDrain> drain(new RingBufferDrain(env, std::move(map), onRecords, maxBatch));
  drain->watcher_ = PollWatcher::start(env, std::move(fd), [drain] { drain->drain(); });
  return drain;
}

void RingBufferDrain::close() {
  closed_ = true;
  if (watcher_) watcher_->close();
  watcher_.reset();
}

// One batch each time: a flood must not keep others waiting. What is left makes the descriptor readable again at once.
void RingBufferDrain::drain() {
  if (closed_) return;
  ring_buffer__consume(ring_.get());
  if (ends_.empty()) return;
  moderate(ends_.size());
  Napi::HandleScope scope(env_);
  reportThrown(env_, [&] { onRecords_.MakeCallback(env_.Global(), {takeRecords()}, context_); });
}

// What is left in the ring by a full batch is read at once: nothing is gained by waiting for more.
void RingBufferDrain::moderate(size_t records) {
  const uint64_t nowNs = uv_hrtime();
  const bool wasGathered = hurried_ >= HURRIED_DRAINS;
  const bool goesOn = wasGathered ? records >= WORTH_GATHERING : nowNs - lastDrainNs_ < HURRY_NS;
  hurried_ = goesOn ? hurried_ + (wasGathered ? 0 : 1) : 0;
  lastDrainNs_ = nowNs;
  if (hurried_ >= HURRIED_DRAINS && records < maxBatch_) watcher_->pause(GATHER_MS);
}

int RingBufferDrain::onRecord(void* self, void* data, size_t size) {
  auto* drain = static_cast<RingBufferDrain*>(self);
  const auto* bytes = static_cast<const uint8_t*>(data);
  drain->bytes_.insert(drain->bytes_.end(), bytes, bytes + size);
  drain->ends_.push_back(drain->bytes_.size());
  return drain->ends_.size() >= drain->maxBatch_ ? STOP : 0;
}

// One buffer for all of them, of which each is a view: a buffer of its own costs more than all else that is done with a record.
Napi::Array RingBufferDrain::takeRecords() {
  const std::vector<uint8_t> bytes = std::exchange(bytes_, {});
  const std::vector<size_t> ends = std::exchange(ends_, {});
  const Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env_, bytes.size());
  if (!bytes.empty()) memcpy(const_cast<Napi::ArrayBuffer&>(buffer).Data(), bytes.data(), bytes.size());
  Napi::Array records = Napi::Array::New(env_, ends.size());
  size_t begin = 0;
  for (uint32_t i = 0; i < ends.size(); i++) {
    records.Set(i, Napi::Uint8Array::New(env_, ends[i] - begin, buffer, begin));
    begin = ends[i];
  }
  return records;
}

void RingBufferReader::define(Napi::Env env, Napi::Object exports) {
  exports.Set("RingBufferReader", DefineClass(env, "RingBufferReader", {InstanceMethod<&RingBufferReader::close>("close")}));
}

RingBufferReader::RingBufferReader(const Napi::CallbackInfo& info) : Napi::ObjectWrap<RingBufferReader>(info) {
  guarded(info.Env(), [&] {
    const std::shared_ptr<MapHandle> map = BpfMap::argument(info[0]);
    const Napi::Function onRecords = functionArgument(info[1], "onRecords");
    drain_ = RingBufferDrain::start(info.Env(), map, onRecords, maxBatchArgument(info[2]));
  });
}

void RingBufferReader::close(const Napi::CallbackInfo&) {
  if (drain_) drain_->close();
  drain_.reset();
}

}  // namespace xmcast
