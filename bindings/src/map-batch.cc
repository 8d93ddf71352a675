#include "map-batch.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <unordered_set>

#include "error.h"

namespace xmcast {
namespace {

// Kernel-internal, yet returned to user space by map types without batch calls.
constexpr int KERNEL_ENOTSUPP = 524;
// The only flag the kernel's batch update accepts.
constexpr uint32_t BATCH_FLAGS = BPF_F_LOCK;
constexpr uint32_t CHUNK = 8192;
// A hash bucket that holds more than the chunk stops a batch read: rare from here on.
constexpr uint32_t SMALLEST_CHUNK = 64;
// Bound on restarts by concurrent deletion, per element that the map can hold.
constexpr uint64_t STEPS_PER_ENTRY = 4;

// EINVAL: kernels older than the batch call of this map type.
bool lacksBatch(int error) { return error == -KERNEL_ENOTSUPP || error == -EOPNOTSUPP || error == -EINVAL; }

[[noreturn]] void failAfter(uint32_t processed, int error, const std::string& operation) {
  SystemFailure failure(-error, operation);
  failure.processed = processed;
  throw failure;
}

bpf_map_batch_opts batchOptions(uint64_t elementFlags) {
  bpf_map_batch_opts options{};
  options.sz = sizeof(options);
  options.elem_flags = elementFlags;
  return options;
}

// An error of one element leaves `done` below `asked`; an error before the first one leaves it as it was passed in.
uint32_t progress(uint32_t done, uint32_t asked) { return done >= asked ? 0 : done; }

void updateOneByOne(const MapHandle& map, const uint8_t* keys, const uint8_t* values, uint32_t count, uint32_t flags) {
  for (uint32_t i = 0; i < count; i++) {
    const int error = bpf_map_update_elem(map.number(), keys + static_cast<size_t>(i) * map.keySize,
                                          values + static_cast<size_t>(i) * map.valueBytes, flags);
    if (error < 0) failAfter(i, error, "update map " + map.name);
  }
}

// `before`: keys of the same call that are gone already.
uint32_t deleteOneByOne(const MapHandle& map, const uint8_t* keys, uint32_t count, uint32_t before) {
  uint32_t deleted = 0;
  for (uint32_t i = 0; i < count; i++) {
    const int error = bpf_map_delete_elem(map.number(), keys + static_cast<size_t>(i) * map.keySize);
    if (error < 0 && error != -ENOENT) failAfter(before + i, error, "delete from map " + map.name);
    if (error == 0) deleted++;
  }
  return deleted;
}

// Keys in the order of the kernel. A key deleted meanwhile makes the kernel start over, hence the set and the bound.
template <typename Visit>
void forEachKey(const MapHandle& map, Visit&& visit) {
  std::vector<uint8_t> key(map.keySize), next(map.keySize);
  std::unordered_set<std::string> seen;
  const uint64_t bound = STEPS_PER_ENTRY * map.maxEntries + CHUNK;
  bool first = true;
  for (uint64_t step = 0; step < bound; step++) {
    const int error = bpf_map_get_next_key(map.number(), first ? nullptr : key.data(), next.data());
    if (error == -ENOENT) return;
    if (error < 0) fail(-error, "list the keys of map " + map.name);
    first = false;
    key = next;
    const bool fresh = seen.emplace(reinterpret_cast<const char*>(key.data()), key.size()).second;
    if (fresh && !visit(key)) return;
  }
}

Entries readOneByOne(const MapHandle& map, uint32_t limit) {
  Entries found;
  std::vector<uint8_t> value(map.valueBytes);
  if (limit == 0) return found;
  forEachKey(map, [&](const std::vector<uint8_t>& key) {
    const int error = bpf_map_lookup_elem(map.number(), key.data(), value.data());
    // Empty slot of an array of devices or maps, or deleted since.
    if (error == -ENOENT) return true;
    if (error < 0) fail(-error, "read map " + map.name);
    found.keys.insert(found.keys.end(), key.begin(), key.end());
    found.values.insert(found.values.end(), value.begin(), value.end());
    return ++found.count < limit;
  });
  return found;
}

// One walk over a map by batch calls: buffers that grow at the end, and the kernel's position.
class BatchReader {
 public:
  // The position is a bucket number for hashes and a key for everything else.
  explicit BatchReader(const MapHandle& map)
      : map_(map),
        position_(std::max<size_t>(map.keySize, sizeof(uint32_t))),
        chunk_(std::clamp<uint32_t>(map.maxEntries, SMALLEST_CHUNK, CHUNK)) {}

  // 0: more may follow; -ENOENT: that was all; other negative errno: failed.
  int readChunk() {
    uint32_t count = chunk_;
    found.keys.resize((static_cast<size_t>(found.count) + count) * map_.keySize);
    found.values.resize((static_cast<size_t>(found.count) + count) * map_.valueBytes);
    const bpf_map_batch_opts options = batchOptions(0);
    std::vector<uint8_t> next(position_.size());
    const int error =
        bpf_map_lookup_batch(map_.number(), started_ ? position_.data() : nullptr, next.data(),
                             found.keys.data() + static_cast<size_t>(found.count) * map_.keySize,
                             found.values.data() + static_cast<size_t>(found.count) * map_.valueBytes, &count, &options);
    const bool delivered = error == 0 || error == -ENOENT;
    truncate(found.count + (delivered ? std::min(count, chunk_) : 0));
    if (delivered) {
      position_ = next;
      started_ = true;
    }
    return error == 0 && count == 0 ? -ENOENT : error;
  }

  // ENOSPC: one hash bucket holds more entries than the chunk.
  void growChunk() { chunk_ *= 2; }

  void truncate(uint32_t count) {
    found.count = count;
    found.keys.resize(static_cast<size_t>(count) * map_.keySize);
    found.values.resize(static_cast<size_t>(count) * map_.valueBytes);
  }

  Entries found;

 private:
  const MapHandle& map_;
  std::vector<uint8_t> position_;
  bool started_ = false;
  uint32_t chunk_;
};

}  // namespace

void updateMany(const MapHandle& map, const uint8_t* keys, const uint8_t* values, uint32_t count, uint32_t flags) {
  if (count == 0) return;
  if ((flags & ~BATCH_FLAGS) != 0) return updateOneByOne(map, keys, values, count, flags);
  const bpf_map_batch_opts options = batchOptions(flags);
  uint32_t done = count;
  const int error = bpf_map_update_batch(map.number(), keys, values, &done, &options);
  if (error == 0) return;
  done = progress(done, count);
  if (done == 0 && lacksBatch(error)) return updateOneByOne(map, keys, values, count, flags);
  failAfter(done, error, "update map " + map.name);
}

uint32_t deleteMany(const MapHandle& map, const uint8_t* keys, uint32_t count) {
  const bpf_map_batch_opts options = batchOptions(0);
  uint32_t deleted = 0;
  for (uint32_t at = 0; at < count;) {
    uint32_t done = count - at;
    const uint8_t* rest = keys + static_cast<size_t>(at) * map.keySize;
    const int error = bpf_map_delete_batch(map.number(), rest, &done, &options);
    if (error == 0) return deleted + (count - at);
    done = progress(done, count - at);
    if (done == 0 && lacksBatch(error)) return deleted + deleteOneByOne(map, rest, count - at, at);
    deleted += done;
    if (error != -ENOENT) failAfter(at + done, error, "delete from map " + map.name);
    // The kernel stops at a key that is not there: step over it.
    at += done + 1;
  }
  return deleted;
}

Entries readAll(const MapHandle& map, uint32_t limit) {
  BatchReader reader(map);
  while (reader.found.count < limit) {
    const int error = reader.readChunk();
    if (error == -ENOENT) break;
    if (error == -ENOSPC) {
      reader.growChunk();
    } else if (error < 0 && error != -EINTR) {
      if (reader.found.count == 0 && lacksBatch(error)) return readOneByOne(map, limit);
      fail(-error, "read map " + map.name);
    }
  }
  if (reader.found.count > limit) reader.truncate(limit);
  return std::move(reader.found);
}

std::vector<uint8_t> readKeys(const MapHandle& map) {
  std::vector<uint8_t> all;
  forEachKey(map, [&](const std::vector<uint8_t>& key) {
    all.insert(all.end(), key.begin(), key.end());
    return true;
  });
  return all;
}

}  // namespace xmcast
