#include "map.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <utility>
#include <vector>

#include "addon.h"
#include "arguments.h"
#include "async.h"
#include "map-batch.h"
#include "map-memory.h"

namespace xmcast {
namespace {

size_t bytesPerValue(const bpf_map_info& info) {
  if (!isPerCpu(info.type)) return info.value_size;
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 0) fail(-cpus, "count possible CPUs");
  const size_t rounded = (static_cast<size_t>(info.value_size) + 7) / 8 * 8;
  return rounded * static_cast<size_t>(cpus);
}

// The kernel reads exactly keySize and valueBytes from the pointers it is given: a short buffer would be read past its end.
void requireBytes(const MapHandle& map, const char* what, size_t given, size_t wanted) {
  if (given == wanted) return;
  fail(EINVAL,
       "pass " + std::to_string(given) + " bytes of " + what + " to map " + map.name + " which takes " + std::to_string(wanted));
}

void updateElement(const MapHandle& map, const void* key, const void* value, uint64_t flags) {
  const int error = bpf_map_update_elem(map.number(), key, value, flags);
  if (error < 0) fail(-error, "update map " + map.name);
}

uint32_t maxEntriesOption(const Napi::Value& options) {
  if (options.IsUndefined()) return UINT32_MAX;
  return optionalUint32(objectArgument(options, "options").Get("maxEntries"), "maxEntries", UINT32_MAX);
}

}  // namespace

bool isPerCpu(uint32_t type) {
  return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_LRU_PERCPU_HASH ||
         type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

std::shared_ptr<MapHandle> describeMap(FileDescriptor fd, const std::string& operation) {
  bpf_map_info info{};
  uint32_t size = sizeof(info);
  const int error = bpf_obj_get_info_by_fd(fd.number(), &info, &size);
  if (error < 0) fail(-error, operation);
  const size_t valueBytes = bytesPerValue(info);
  return std::make_shared<MapHandle>(MapHandle{std::move(fd), info.name, info.type, info.id, info.key_size, info.value_size,
                                               info.max_entries, info.map_flags, valueBytes});
}

void BpfMap::define(Napi::Env env, Napi::Object exports) {
  const Napi::Function constructor = DefineClass(env, "BpfMap",
                                                 {
                                                     StaticMethod<&BpfMap::createMap>("create"),
                                                     StaticMethod<&BpfMap::openPinned>("openPinned"),
                                                     InstanceAccessor<&BpfMap::info>("info"),
                                                     InstanceAccessor<&BpfMap::valueBytes>("valueBytes"),
                                                     InstanceAccessor<&BpfMap::fd>("fd"),
                                                     InstanceMethod<&BpfMap::lookup>("lookup"),
                                                     InstanceMethod<&BpfMap::update>("update"),
                                                     InstanceMethod<&BpfMap::updateAsync>("updateAsync"),
                                                     InstanceMethod<&BpfMap::deleteKey>("delete"),
                                                     InstanceMethod<&BpfMap::updateSlice>("updateMany"),
                                                     InstanceMethod<&BpfMap::deleteSlice>("deleteMany"),
                                                     InstanceMethod<&BpfMap::updateBatch>("updateBatch"),
                                                     InstanceMethod<&BpfMap::deleteBatch>("deleteBatch"),
                                                     InstanceMethod<&BpfMap::lookupBatch>("lookupBatch"),
                                                     InstanceMethod<&BpfMap::sumOverBlocks>("sumBlocks"),
                                                     InstanceMethod<&BpfMap::words>("words"),
                                                     InstanceMethod<&BpfMap::keys>("keys"),
                                                     InstanceMethod<&BpfMap::pin>("pin"),
                                                     InstanceMethod<&BpfMap::close>("close"),
                                                 });
  Addon::of(env).map = Napi::Persistent(constructor);
  exports.Set("BpfMap", constructor);
}

Napi::Object BpfMap::create(Napi::Env env, std::shared_ptr<MapHandle> map) {
  return wrap(env, Addon::of(env).map, std::move(map));
}

std::shared_ptr<MapHandle> BpfMap::argument(const Napi::Value& value) {
  return instanceArgument<BpfMap>(value, Addon::of(value.Env()).map, "a BpfMap").map_.require("use a closed map");
}

BpfMap::BpfMap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<BpfMap>(info) { map_.set(unwrapConstruction<MapHandle>(info)); }

Napi::Value BpfMap::createMap(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object options = objectArgument(info[0], "options");
    const std::string name = stringArgument(options.Get("name"), "name");
    const auto type = static_cast<bpf_map_type>(uint32Argument(options.Get("type"), "type"));
    const uint32_t keySize = uint32Argument(options.Get("keySize"), "keySize");
    const uint32_t valueSize = uint32Argument(options.Get("valueSize"), "valueSize");
    const uint32_t maxEntries = uint32Argument(options.Get("maxEntries"), "maxEntries");
    bpf_map_create_opts request{};
    request.sz = sizeof(request);
    request.map_flags = optionalUint32(options.Get("flags"), "flags", 0);
    const std::string operation = "create map " + name;
    const int fd = bpf_map_create(type, name.c_str(), keySize, valueSize, maxEntries, &request);
    if (fd < 0) fail(-fd, operation);
    return create(info.Env(), describeMap(FileDescriptor(fd), operation));
  });
}

Napi::Value BpfMap::openPinned(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string path = stringArgument(info[0], "path");
    return create(info.Env(), describeMap(openPinnedObject(path, "map"), "read the info of map " + path));
  });
}

Napi::Value BpfMap::info(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& map = map_.require("read the info of a closed map");
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("name", map->name);
    result.Set("type", map->type);
    result.Set("id", map->id);
    result.Set("keySize", map->keySize);
    result.Set("valueSize", map->valueSize);
    result.Set("maxEntries", map->maxEntries);
    result.Set("flags", map->flags);
    return result;
  });
}

Napi::Value BpfMap::valueBytes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), static_cast<double>(map_.require("read the value size of a closed map")->valueBytes));
  });
}

Napi::Value BpfMap::fd(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), map_.require("read the descriptor of a closed map")->number());
  });
}

Napi::Value BpfMap::lookup(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& map = map_.require("look up in a closed map");
    const Bytes key = bytesArgument(info[0], "key");
    requireBytes(*map, "key", key.size, map->keySize);
    std::vector<uint8_t> value(map->valueBytes);
    const int error = bpf_map_lookup_elem(map->number(), key.data, value.data());
    if (error == -ENOENT) return info.Env().Undefined();
    if (error < 0) fail(-error, "look up in map " + map->name);
    return toUint8Array(info.Env(), value.data(), value.size());
  });
}

void BpfMap::update(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const auto& map = map_.require("update a closed map");
    const Bytes key = bytesArgument(info[0], "key");
    const Bytes value = bytesArgument(info[1], "value");
    requireBytes(*map, "key", key.size, map->keySize);
    requireBytes(*map, "value", value.size, map->valueBytes);
    updateElement(*map, key.data, value.data, optionalUint32(info[2], "flags", 0));
  });
}

Napi::Value BpfMap::updateAsync(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const auto map = map_.require("update a closed map");
    const Bytes key = bytesArgument(info[0], "key");
    const Bytes value = bytesArgument(info[1], "value");
    requireBytes(*map, "key", key.size, map->keySize);
    requireBytes(*map, "value", value.size, map->valueBytes);
    const uint32_t flags = optionalUint32(info[2], "flags", 0);
    return runAsync(
        info.Env(),
        [map, ownKey = key.copy(), ownValue = value.copy(), flags] {
          updateElement(*map, ownKey.data(), ownValue.data(), flags);
        },
        [](Napi::Env env) { return env.Undefined(); });
  });
}

Napi::Value BpfMap::deleteKey(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& map = map_.require("delete from a closed map");
    const Bytes key = bytesArgument(info[0], "key");
    requireBytes(*map, "key", key.size, map->keySize);
    const int error = bpf_map_delete_elem(map->number(), key.data);
    if (error < 0 && error != -ENOENT) fail(-error, "delete from map " + map->name);
    return Napi::Boolean::New(info.Env(), error == 0);
  });
}

void BpfMap::updateSlice(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const auto& map = map_.require("update a closed map");
    const Bytes keys = bytesArgument(info[0], "keys");
    const Bytes values = bytesArgument(info[1], "values");
    const uint32_t count = uint32Argument(info[2], "count");
    requireBytes(*map, "keys", keys.size, static_cast<size_t>(count) * map->keySize);
    requireBytes(*map, "values", values.size, static_cast<size_t>(count) * map->valueBytes);
    updateMany(*map, keys.data, values.data, count, optionalUint32(info[3], "flags", 0));
  });
}

Napi::Value BpfMap::deleteSlice(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& map = map_.require("delete from a closed map");
    const Bytes keys = bytesArgument(info[0], "keys");
    const uint32_t count = uint32Argument(info[1], "count");
    requireBytes(*map, "keys", keys.size, static_cast<size_t>(count) * map->keySize);
    return Napi::Number::New(info.Env(), deleteMany(*map, keys.data, count));
  });
}

Napi::Value BpfMap::updateBatch(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const auto map = map_.require("update a closed map");
    const Bytes keys = bytesArgument(info[0], "keys");
    const Bytes values = bytesArgument(info[1], "values");
    const uint32_t count = uint32Argument(info[2], "count");
    requireBytes(*map, "keys", keys.size, static_cast<size_t>(count) * map->keySize);
    requireBytes(*map, "values", values.size, static_cast<size_t>(count) * map->valueBytes);
    const uint32_t flags = optionalUint32(info[3], "flags", 0);
    return runAsync(
        info.Env(),
        [map, ownKeys = keys.copy(), ownValues = values.copy(), count, flags] {
          updateMany(*map, ownKeys.data(), ownValues.data(), count, flags);
        },
        [count](Napi::Env env) { return Napi::Number::New(env, count); });
  });
}

Napi::Value BpfMap::deleteBatch(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const auto map = map_.require("delete from a closed map");
    const Bytes keys = bytesArgument(info[0], "keys");
    const uint32_t count = uint32Argument(info[1], "count");
    requireBytes(*map, "keys", keys.size, static_cast<size_t>(count) * map->keySize);
    auto deleted = std::make_shared<uint32_t>(0);
    return runAsync(
        info.Env(), [map, ownKeys = keys.copy(), count, deleted] { *deleted = deleteMany(*map, ownKeys.data(), count); },
        [deleted](Napi::Env env) { return Napi::Number::New(env, *deleted); });
  });
}

Napi::Value BpfMap::lookupBatch(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const auto map = map_.require("read a closed map");
    const uint32_t limit = maxEntriesOption(info[0]);
    auto found = std::make_shared<Entries>();
    return runAsync(
        info.Env(), [map, limit, found] { *found = readAll(*map, limit); },
        [found](Napi::Env env) -> Napi::Value {
          Napi::Object result = Napi::Object::New(env);
          result.Set("count", found->count);
          result.Set("keys", adoptAsUint8Array(env, std::move(found->keys)));
          result.Set("values", adoptAsUint8Array(env, std::move(found->values)));
          return result;
        });
  });
}

Napi::Value BpfMap::sumOverBlocks(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const auto map = map_.require("read a closed map");
    const Napi::Object options = objectArgument(info[0], "options");
    const uint32_t blocks = uint32Argument(options.Get("blocks"), "blocks");
    const uint32_t entries = uint32Argument(options.Get("entries"), "entries");
    auto sums = std::make_shared<std::vector<uint64_t>>();
    return runAsync(
        info.Env(), [map, blocks, entries, sums] { *sums = sumBlocks(*map, blocks, entries); },
        [sums](Napi::Env env) -> Napi::Value { return adoptAsBigUint64Array(env, std::move(*sums)); });
  });
}

Napi::Value BpfMap::words(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& map = map_.require("map the memory of a closed map");
    auto memory = std::make_unique<MapMemory>(*map);
    const size_t count = memory->wordCount();
    uint64_t* const first = memory->words();
    MapMemory* const owned = memory.release();
    const Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(
        info.Env(), first, count * sizeof(uint64_t), [](Napi::Env, void*, MapMemory* gone) { delete gone; }, owned);
    return Napi::BigUint64Array::New(info.Env(), count, buffer, 0, napi_biguint64_array);
  });
}

Napi::Value BpfMap::keys(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& map = map_.require("list the keys of a closed map");
    const std::vector<uint8_t> all = readKeys(*map);
    Napi::Array result = Napi::Array::New(info.Env());
    for (size_t at = 0; at < all.size(); at += map->keySize) {
      result.Set(result.Length(), toUint8Array(info.Env(), all.data() + at, map->keySize));
    }
    return result;
  });
}

void BpfMap::pin(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const std::string path = stringArgument(info[0], "path");
    const auto& map = map_.require("pin a closed map");
    const int error = bpf_obj_pin(map->number(), path.c_str());
    if (error < 0) fail(-error, "pin map " + map->name + " at " + path);
  });
}

void BpfMap::close(const Napi::CallbackInfo&) { map_.close(); }

}  // namespace xmcast
