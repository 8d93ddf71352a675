// BpfObject of index.d.ts: an ELF file on its way into the kernel. What it loads lives on in maps, programs and links.
#pragma once

#include <bpf/libbpf.h>
#include <napi.h>

#include <atomic>
#include <memory>
#include <string>

#include "file-descriptor.h"

namespace xmcast {

// One libbpf object. libbpf does not lock it: while `phase` is LOADING only the worker may touch `object`.
struct ObjectHandle {
  enum class Phase { OPEN, LOADING, LOADED, FAILED };

  ObjectHandle(bpf_object* parsed, std::string file) : object(parsed), path(std::move(file)) {}
  ~ObjectHandle() { bpf_object__close(object); }
  ObjectHandle(const ObjectHandle&) = delete;
  ObjectHandle& operator=(const ObjectHandle&) = delete;

  bpf_object* object;
  std::string path;
  std::atomic<Phase> phase{Phase::OPEN};
};

std::shared_ptr<ObjectHandle> openObject(const std::string& path);

class BpfObject : public Napi::ObjectWrap<BpfObject> {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  explicit BpfObject(const Napi::CallbackInfo& info);

 private:
  static Napi::Value open(const Napi::CallbackInfo& info);

  Napi::Value btf(const Napi::CallbackInfo& info);
  Napi::Value programNames(const Napi::CallbackInfo& info);
  Napi::Value mapNames(const Napi::CallbackInfo& info);
  void setRodata(const Napi::CallbackInfo& info);
  void setMaxEntries(const Napi::CallbackInfo& info);
  void reuseMap(const Napi::CallbackInfo& info);
  void setAutoload(const Napi::CallbackInfo& info);
  Napi::Value load(const Napi::CallbackInfo& info);
  Napi::Value program(const Napi::CallbackInfo& info);
  Napi::Value map(const Napi::CallbackInfo& info);
  Napi::Value attachTracing(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  Closeable<ObjectHandle> object_;
  Napi::ObjectReference btf_;
};

}  // namespace xmcast
