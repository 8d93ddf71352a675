// BpfProgram of index.d.ts: one loaded program. How it is test-run is in program-run.h.
#pragma once

#include <napi.h>

#include <memory>
#include <string>

#include "file-descriptor.h"

namespace xmcast {

// A program in the kernel, without JavaScript.
struct ProgramHandle {
  FileDescriptor fd;
  std::string name;
  uint32_t id;
  uint32_t type;
  uint32_t translatedInstructions;
  uint32_t verifiedInstructions;

  int number() const { return fd.number(); }
};

// Takes the descriptor over and asks the kernel about the program. The kernel cuts names to 15 bytes; a `fullName` replaces it.
std::shared_ptr<ProgramHandle> describeProgram(FileDescriptor fd, const std::string& operation, const std::string& fullName = "");

class BpfProgram : public Napi::ObjectWrap<BpfProgram> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  static Napi::Object create(Napi::Env env, std::shared_ptr<ProgramHandle> program);
  static std::shared_ptr<ProgramHandle> argument(const Napi::Value& value);

  explicit BpfProgram(const Napi::CallbackInfo& info);

 private:
  static Napi::Value openPinned(const Napi::CallbackInfo& info);

  Napi::Value name(const Napi::CallbackInfo& info);
  Napi::Value fd(const Napi::CallbackInfo& info);
  Napi::Value id(const Napi::CallbackInfo& info);
  Napi::Value info(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value runAsync(const Napi::CallbackInfo& info);
  Napi::Value runLive(const Napi::CallbackInfo& info);
  void pin(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  Closeable<ProgramHandle> program_;
};

}  // namespace xmcast
