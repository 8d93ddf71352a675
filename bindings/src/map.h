// BpfMap of index.d.ts: one map, element by element. Batches are in map-batch.h.
#pragma once

#include <napi.h>

#include <memory>
#include <string>

#include "file-descriptor.h"

namespace xmcast {

// A map in the kernel, without JavaScript.
struct MapHandle {
  FileDescriptor fd;
  std::string name;
  uint32_t type;
  uint32_t id;
  uint32_t keySize;
  uint32_t valueSize;
  uint32_t maxEntries;
  uint32_t flags;
  // Bytes of one value as the kernel copies it to user space.
  size_t valueBytes;

  int number() const { return fd.number(); }
};

// Has one value for each possible CPU.
bool isPerCpu(uint32_t mapType);

// Takes the descriptor over and asks the kernel about the map.
std::shared_ptr<MapHandle> describeMap(FileDescriptor fd, const std::string& operation);

class BpfMap : public Napi::ObjectWrap<BpfMap> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  static Napi::Object create(Napi::Env env, std::shared_ptr<MapHandle> map);
  static std::shared_ptr<MapHandle> argument(const Napi::Value& value);

  explicit BpfMap(const Napi::CallbackInfo& info);

 private:
  static Napi::Value createMap(const Napi::CallbackInfo& info);
  static Napi::Value openPinned(const Napi::CallbackInfo& info);

  Napi::Value info(const Napi::CallbackInfo& info);
  Napi::Value valueBytes(const Napi::CallbackInfo& info);
  Napi::Value fd(const Napi::CallbackInfo& info);
  Napi::Value lookup(const Napi::CallbackInfo& info);
  void update(const Napi::CallbackInfo& info);
  Napi::Value updateAsync(const Napi::CallbackInfo& info);
  Napi::Value deleteKey(const Napi::CallbackInfo& info);
  void updateSlice(const Napi::CallbackInfo& info);
  Napi::Value deleteSlice(const Napi::CallbackInfo& info);
  Napi::Value updateBatch(const Napi::CallbackInfo& info);
  Napi::Value deleteBatch(const Napi::CallbackInfo& info);
  Napi::Value lookupBatch(const Napi::CallbackInfo& info);
  Napi::Value sumOverBlocks(const Napi::CallbackInfo& info);
  Napi::Value words(const Napi::CallbackInfo& info);
  Napi::Value keys(const Napi::CallbackInfo& info);
  void pin(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  Closeable<MapHandle> map_;
};

}  // namespace xmcast
