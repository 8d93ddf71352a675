// Reading arguments from JavaScript and giving bytes back. A value of the wrong JavaScript type is a TypeError, a bug of the
// caller; sizes that do not fit the kernel object are NativeErrors and are checked where they are used.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

namespace xmcast {

// A view into memory that JavaScript owns: valid only until JavaScript runs again.
struct Bytes {
  const uint8_t* data;
  size_t size;

  std::vector<uint8_t> copy() const { return std::vector<uint8_t>(data, data + size); }
};

Bytes bytesArgument(const Napi::Value& value, const char* name);
uint32_t uint32Argument(const Napi::Value& value, const char* name);
std::string stringArgument(const Napi::Value& value, const char* name);
Napi::Object objectArgument(const Napi::Value& value, const char* name);
Napi::Function functionArgument(const Napi::Value& value, const char* name);

// undefined gives the default.
uint32_t optionalUint32(const Napi::Value& value, const char* name, uint32_t otherwise);
bool optionalBoolean(const Napi::Value& value, const char* name, bool otherwise);
// undefined gives an empty function.
Napi::Function optionalFunction(const Napi::Value& value, const char* name);

Napi::Uint8Array toUint8Array(Napi::Env env, const void* data, size_t size);
// Hands the memory over instead of copying it: for results of megabytes.
Napi::Uint8Array adoptAsUint8Array(Napi::Env env, std::vector<uint8_t> bytes);
Napi::BigUint64Array adoptAsBigUint64Array(Napi::Env env, std::vector<uint64_t> words);

}  // namespace xmcast
