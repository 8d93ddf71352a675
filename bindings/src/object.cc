#include "object.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "addon.h"
#include "arguments.h"
#include "async.h"
#include "btf.h"
#include "link.h"
#include "map.h"
#include "program.h"

namespace xmcast {
namespace {

using Phase = ObjectHandle::Phase;

void requireIdle(const ObjectHandle& object, const std::string& operation) {
  if (object.phase == Phase::LOADING) fail(EBUSY, operation + " while " + object.path + " loads");
}

void requireBeforeLoad(const ObjectHandle& object, const std::string& operation) {
  requireIdle(object, operation);
  if (object.phase != Phase::OPEN) fail(EINVAL, operation + " after load of " + object.path);
}

void requireLoaded(const ObjectHandle& object, const std::string& operation) {
  requireIdle(object, operation);
  if (object.phase != Phase::LOADED) fail(EINVAL, operation + " before load of " + object.path);
}

bpf_map* findMap(const ObjectHandle& object, const std::string& name) {
  bpf_map* map = bpf_object__find_map_by_name(object.object, name.c_str());
  if (map == nullptr) fail(ENOENT, "find map " + name + " in " + object.path);
  return map;
}

bpf_program* findProgram(const ObjectHandle& object, const std::string& name) {
  bpf_program* program = bpf_object__find_program_by_name(object.object, name.c_str());
  if (program == nullptr) fail(ENOENT, "find program " + name + " in " + object.path);
  return program;
}

// libbpf prefixes the section name with the object's name.
bpf_map* findRodata(const ObjectHandle& object) {
  bpf_map* map = bpf_object__find_map_by_name(object.object, ".rodata");
  if (map == nullptr) fail(ENOENT, "find .rodata in " + object.path);
  return map;
}

std::string shapeOf(uint32_t type, uint32_t keySize, uint32_t valueSize) {
  return "type " + std::to_string(type) + " key " + std::to_string(keySize) + " value " + std::to_string(valueSize);
}

// libbpf takes the existing map's shape without a word; the program would then fail in the verifier, or worse, not fail.
void requireSameShape(const bpf_map* wanted, const MapHandle& existing) {
  const std::string wants = shapeOf(bpf_map__type(wanted), bpf_map__key_size(wanted), bpf_map__value_size(wanted));
  const std::string has = shapeOf(existing.type, existing.keySize, existing.valueSize);
  if (wants != has) fail(EINVAL, std::string("reuse a map of ") + has + " as " + bpf_map__name(wanted) + " of " + wants);
}

void loadObject(ObjectHandle& object) {
  const int error = bpf_object__load(object.object);
  object.phase = error == 0 ? Phase::LOADED : Phase::FAILED;
  if (error < 0) fail(-error, "load " + object.path);
}

}  // namespace

std::shared_ptr<ObjectHandle> openObject(const std::string& path) {
  bpf_object* parsed = bpf_object__open_file(path.c_str(), nullptr);
  if (parsed == nullptr) fail(errno, "open BPF object " + path);
  return std::make_shared<ObjectHandle>(parsed, path);
}

void BpfObject::define(Napi::Env env, Napi::Object exports) {
  const Napi::Function constructor = DefineClass(env, "BpfObject",
                                                 {
                                                     StaticMethod<&BpfObject::open>("open"),
                                                     InstanceAccessor<&BpfObject::btf>("btf"),
                                                     InstanceAccessor<&BpfObject::programNames>("programNames"),
                                                     InstanceAccessor<&BpfObject::mapNames>("mapNames"),
                                                     InstanceMethod<&BpfObject::setRodata>("setRodata"),
                                                     InstanceMethod<&BpfObject::setMaxEntries>("setMaxEntries"),
                                                     InstanceMethod<&BpfObject::reuseMap>("reuseMap"),
                                                     InstanceMethod<&BpfObject::setAutoload>("setAutoload"),
                                                     InstanceMethod<&BpfObject::load>("load"),
                                                     InstanceMethod<&BpfObject::program>("program"),
                                                     InstanceMethod<&BpfObject::map>("map"),
                                                     InstanceMethod<&BpfObject::attachTracing>("attachTracing"),
                                                     InstanceMethod<&BpfObject::close>("close"),
                                                 });
  Addon::of(env).object = Napi::Persistent(constructor);
  exports.Set("BpfObject", constructor);
}

BpfObject::BpfObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<BpfObject>(info) {
  object_.set(unwrapConstruction<ObjectHandle>(info));
}

Napi::Value BpfObject::open(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return wrap(info.Env(), Addon::of(info.Env()).object, openObject(stringArgument(info[0], "path")));
  });
}

Napi::Value BpfObject::btf(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& object = object_.require("read the BTF of a closed object");
    if (btf_.IsEmpty()) {
      requireIdle(*object, "read the BTF");
      btf_ = Napi::Persistent(toLayout(info.Env(), bpf_object__btf(object->object)));
    }
    return btf_.Value();
  });
}

Napi::Value BpfObject::programNames(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& object = object_.require("list the programs of a closed object");
    Napi::Array names = Napi::Array::New(info.Env());
    bpf_program* program = nullptr;
    while ((program = bpf_object__next_program(object->object, program)) != nullptr)
      names.Set(names.Length(), bpf_program__name(program));
    return names;
  });
}

Napi::Value BpfObject::mapNames(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& object = object_.require("list the maps of a closed object");
    Napi::Array names = Napi::Array::New(info.Env());
    bpf_map* map = nullptr;
    while ((map = bpf_object__next_map(object->object, map)) != nullptr) {
      if (!bpf_map__is_internal(map)) names.Set(names.Length(), bpf_map__name(map));
    }
    return names;
  });
}

void BpfObject::setRodata(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const uint32_t offset = uint32Argument(info[0], "offset");
    const Bytes bytes = bytesArgument(info[1], "bytes");
    const auto& object = object_.require("set .rodata of a closed object");
    requireBeforeLoad(*object, "set .rodata");
    bpf_map* map = findRodata(*object);
    size_t size = 0;
    const auto* section = static_cast<const uint8_t*>(bpf_map__initial_value(map, &size));
    if (section == nullptr || offset > size || bytes.size > size - offset) {
      fail(ERANGE, "set " + std::to_string(bytes.size) + " bytes at offset " + std::to_string(offset) + " of .rodata (" +
                       std::to_string(size) + " bytes)");
    }
    // libbpf takes the section as a whole.
    std::vector<uint8_t> content(section, section + size);
    std::copy_n(bytes.data, bytes.size, content.begin() + offset);
    const int error = bpf_map__set_initial_value(map, content.data(), size);
    if (error < 0) fail(-error, "set .rodata");
  });
}

void BpfObject::setMaxEntries(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const std::string name = stringArgument(info[0], "map");
    const uint32_t maxEntries = uint32Argument(info[1], "maxEntries");
    const auto& object = object_.require("size a map of a closed object");
    requireBeforeLoad(*object, "size map " + name);
    const int error = bpf_map__set_max_entries(findMap(*object, name), maxEntries);
    if (error < 0) fail(-error, "size map " + name + " to " + std::to_string(maxEntries) + " entries");
  });
}

void BpfObject::reuseMap(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const std::string name = stringArgument(info[0], "map");
    const std::shared_ptr<MapHandle> existing = BpfMap::argument(info[1]);
    const auto& object = object_.require("reuse a map for a closed object");
    requireBeforeLoad(*object, "reuse map " + name);
    bpf_map* map = findMap(*object, name);
    requireSameShape(map, *existing);
    const int error = bpf_map__reuse_fd(map, existing->number());
    if (error < 0) fail(-error, "reuse map " + name);
  });
}

void BpfObject::setAutoload(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const std::string name = stringArgument(info[0], "program");
    const bool autoload = optionalBoolean(info[1], "autoload", true);
    const auto& object = object_.require("choose programs of a closed object");
    requireBeforeLoad(*object, "choose program " + name);
    const int error = bpf_program__set_autoload(findProgram(*object, name), autoload);
    if (error < 0) fail(-error, "choose program " + name);
  });
}

Napi::Value BpfObject::load(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const auto object = object_.require("load a closed object");
    requireBeforeLoad(*object, "load");
    object->phase = Phase::LOADING;
    return runAsync(
        info.Env(), [object] { loadObject(*object); }, [](Napi::Env env) { return env.Undefined(); });
  });
}

Napi::Value BpfObject::program(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string name = stringArgument(info[0], "name");
    const auto& object = object_.require("take a program from a closed object");
    const std::string operation = "take program " + name;
    requireLoaded(*object, operation);
    const int number = bpf_program__fd(findProgram(*object, name));
    if (number < 0) fail(-number, operation + " which was not loaded");
    return BpfProgram::create(info.Env(), describeProgram(duplicate(number, operation), operation, name));
  });
}

Napi::Value BpfObject::map(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string name = stringArgument(info[0], "name");
    const auto& object = object_.require("take a map from a closed object");
    const std::string operation = "take map " + name;
    requireLoaded(*object, operation);
    const int number = bpf_map__fd(findMap(*object, name));
    if (number < 0) fail(-number, operation + " which was not created");
    return BpfMap::create(info.Env(), describeMap(duplicate(number, operation), operation));
  });
}

Napi::Value BpfObject::attachTracing(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string name = stringArgument(info[0], "name");
    const auto& object = object_.require("attach a program of a closed object");
    const std::string operation = "attach tracing program " + name;
    requireLoaded(*object, operation);
    bpf_link* attached = bpf_program__attach(findProgram(*object, name));
    if (attached == nullptr) fail(errno, operation);
    // Ours is a second descriptor: destroying libbpf's closes its own and, with one left, the kernel's link stays.
    const std::unique_ptr<bpf_link, int (*)(bpf_link*)> owner(attached, bpf_link__destroy);
    FileDescriptor fd = duplicate(bpf_link__fd(attached), operation);
    return BpfLink::create(info.Env(), describeLink(std::move(fd), operation));
  });
}

void BpfObject::close(const Napi::CallbackInfo&) {
  object_.close();
  btf_.Reset();
}

}  // namespace xmcast
