#include "map-memory.h"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "error.h"

namespace xmcast {
namespace {

constexpr size_t WORD_BYTES = sizeof(uint64_t);

// Bytes of a map from an offset on, for as long as this lives.
class Window {
 public:
  Window(const MapHandle& map, uint64_t offset, size_t bytes, const std::string& operation) {
    const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    const uint64_t skipped = offset % page;
    mappedBytes_ = bytes + skipped;
    mapped_ = mmap(nullptr, mappedBytes_, PROT_READ, MAP_SHARED, map.number(), static_cast<off_t>(offset - skipped));
    if (mapped_ == MAP_FAILED) fail(errno, operation);
    words_ = reinterpret_cast<const uint64_t*>(static_cast<const uint8_t*>(mapped_) + skipped);
  }
  ~Window() { munmap(mapped_, mappedBytes_); }
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  // The kernel's programs go on writing: each word is read whole, and once.
  uint64_t word(size_t at) const { return __atomic_load_n(words_ + at, __ATOMIC_RELAXED); }

 private:
  void* mapped_;
  size_t mappedBytes_;
  const uint64_t* words_;
};

// Whether its memory is an array of words.
bool isWords(const MapHandle& map) {
  return map.type == BPF_MAP_TYPE_ARRAY && (map.flags & BPF_F_MMAPABLE) != 0 && map.valueSize % WORD_BYTES == 0;
}

}  // namespace

MapMemory::MapMemory(const MapHandle& map) : bytes_(static_cast<size_t>(map.maxEntries) * map.valueSize) {
  const std::string operation = "map the memory of map " + map.name;
  if (!isWords(map)) fail(EINVAL, operation);
  mapped_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, map.number(), 0);
  if (mapped_ == MAP_FAILED) fail(errno, operation);
}

MapMemory::~MapMemory() { munmap(mapped_, bytes_); }

std::vector<uint64_t> sumBlocks(const MapHandle& map, uint32_t blocks, uint32_t entries) {
  const std::string operation = "add up the blocks of map " + map.name;
  if (!isWords(map) || blocks == 0) fail(EINVAL, operation);
  const uint64_t blockEntries = map.maxEntries / blocks;
  if (entries > blockEntries) fail(EINVAL, operation);
  std::vector<uint64_t> sums(static_cast<size_t>(entries) * (map.valueSize / WORD_BYTES));
  if (sums.empty()) return sums;
  for (uint32_t block = 0; block < blocks; block++) {
    const Window window(map, block * blockEntries * map.valueSize, sums.size() * WORD_BYTES, operation);
    for (size_t at = 0; at < sums.size(); at++) sums[at] += window.word(at);
  }
  return sums;
}

}  // namespace xmcast
