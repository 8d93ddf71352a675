// An array map where it lies: mapped into memory, without a system call for each element.
#pragma once

#include <cstdint>
#include <vector>

#include "map.h"

namespace xmcast {

// The memory of an array with BPF_F_MMAPABLE, from its first value on, to read and write for as long as this lives; the map lives
// with it. EINVAL for any other map and for values that are not made of 64-bit words.
class MapMemory {
 public:
  explicit MapMemory(const MapHandle& map);
  ~MapMemory();
  MapMemory(const MapMemory&) = delete;
  MapMemory& operator=(const MapMemory&) = delete;

  uint64_t* words() const { return static_cast<uint64_t*>(mapped_); }
  size_t wordCount() const { return bytes_ / sizeof(uint64_t); }

 private:
  void* mapped_;
  size_t bytes_;
};

// Of an array with BPF_F_MMAPABLE that consists of `blocks` blocks of equal length: the words of the first `entries` values of
// each, added up over the blocks. EINVAL for any other map, for values that are not made of 64-bit words, and for blocks that
// are shorter. Takes its time: on worker threads only.
std::vector<uint64_t> sumBlocks(const MapHandle& map, uint32_t blocks, uint32_t entries);

}  // namespace xmcast
