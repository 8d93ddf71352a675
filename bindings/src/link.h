// BpfLink of index.d.ts: the attachment of a program. The kernel keeps it as long as a descriptor or a pin does.
#pragma once

#include <napi.h>

#include <memory>
#include <string>

#include "file-descriptor.h"

namespace xmcast {

// A link in the kernel, without JavaScript.
struct LinkHandle {
  FileDescriptor fd;
  uint32_t id;

  int number() const { return fd.number(); }
};

// Takes the descriptor over and asks the kernel about the link.
std::shared_ptr<LinkHandle> describeLink(FileDescriptor fd, const std::string& operation);

class BpfLink : public Napi::ObjectWrap<BpfLink> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  static Napi::Object create(Napi::Env env, std::shared_ptr<LinkHandle> link);

  explicit BpfLink(const Napi::CallbackInfo& info);

 private:
  static Napi::Value openPinned(const Napi::CallbackInfo& info);
  static Napi::Value attachXdp(const Napi::CallbackInfo& info);
  static Napi::Value attach(const Napi::CallbackInfo& info);

  Napi::Value id(const Napi::CallbackInfo& info);
  Napi::Value ifindex(const Napi::CallbackInfo& info);
  Napi::Value programId(const Napi::CallbackInfo& info);
  Napi::Value update(const Napi::CallbackInfo& info);
  Napi::Value detach(const Napi::CallbackInfo& info);
  void pin(const Napi::CallbackInfo& info);
  void unpin(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  Closeable<LinkHandle> link_;
  // Where this object knows the link to be pinned, else empty.
  std::string pinPath_;
};

}  // namespace xmcast
