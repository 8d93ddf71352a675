// FileLock of index.d.ts: one owner of a file or directory at a time, among processes.
#pragma once

#include <napi.h>

#include "file-descriptor.h"

namespace xmcast {

class FileLock : public Napi::ObjectWrap<FileLock> {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  explicit FileLock(const Napi::CallbackInfo& info);

 private:
  void close(const Napi::CallbackInfo& info);

  Closeable<FileDescriptor> fd_;
};

}  // namespace xmcast
