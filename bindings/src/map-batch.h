// Whole-map and many-element operations. Moderate batches may be written on JavaScript's thread; whole maps are read on worker
// threads only. Uses the kernel's batch calls where the map type has them and goes element by element where it has not, so
// callers need not know which is which.
#pragma once

#include <cstdint>
#include <vector>

#include "map.h"

namespace xmcast {

struct Entries {
  std::vector<uint8_t> keys;
  std::vector<uint8_t> values;
  uint32_t count = 0;
};

// All or a SystemFailure with `processed`: so many elements, from the first, are written.
void updateMany(const MapHandle& map, const uint8_t* keys, const uint8_t* values, uint32_t count, uint32_t flags);

// How many were there and are gone now. Missing keys are no failure. All or a SystemFailure with `processed`: so many keys, from
// the first, are gone.
uint32_t deleteMany(const MapHandle& map, const uint8_t* keys, uint32_t count);

// At most `limit` entries.
Entries readAll(const MapHandle& map, uint32_t limit);

// All keys, concatenated, by get_next_key.
std::vector<uint8_t> readKeys(const MapHandle& map);

}  // namespace xmcast
