#include "arguments.h"

#include <cmath>
#include <cstring>
#include <memory>
#include <utility>

namespace xmcast {
namespace {

[[noreturn]] void wrongType(const Napi::Value& value, const char* name, const char* wanted) {
  throw Napi::TypeError::New(value.Env(), std::string(name) + " must be " + wanted);
}

template <typename Array, typename Element>
Array adopt(Napi::Env env, std::vector<Element> elements) {
  if (elements.empty()) return Array::New(env, 0);
  auto owned = std::make_unique<std::vector<Element>>(std::move(elements));
  const size_t count = owned->size();
  Napi::ArrayBuffer memory = Napi::ArrayBuffer::New(
      env, owned->data(), count * sizeof(Element), [](Napi::Env, void*, std::vector<Element>* kept) { delete kept; },
      owned.get());
  owned.release();
  return Array::New(env, count, memory, 0);
}

}  // namespace

Bytes bytesArgument(const Napi::Value& value, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
    wrongType(value, name, "a Uint8Array");
  const Napi::Uint8Array array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.ByteLength()};
}

uint32_t uint32Argument(const Napi::Value& value, const char* name) {
  if (!value.IsNumber()) wrongType(value, name, "a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!(number >= 0 && number <= UINT32_MAX) || std::floor(number) != number)
    wrongType(value, name, "an integer from 0 to 4294967295");
  return static_cast<uint32_t>(number);
}

std::string stringArgument(const Napi::Value& value, const char* name) {
  if (!value.IsString()) wrongType(value, name, "a string");
  std::string text = value.As<Napi::String>().Utf8Value();
  // A NUL would silently cut a path short.
  if (text.find('\0') != std::string::npos) wrongType(value, name, "a string without NUL");
  return text;
}

Napi::Object objectArgument(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) wrongType(value, name, "an object");
  return value.As<Napi::Object>();
}

Napi::Function functionArgument(const Napi::Value& value, const char* name) {
  if (!value.IsFunction()) wrongType(value, name, "a function");
  return value.As<Napi::Function>();
}

uint32_t optionalUint32(const Napi::Value& value, const char* name, uint32_t otherwise) {
  return value.IsUndefined() ? otherwise : uint32Argument(value, name);
}

bool optionalBoolean(const Napi::Value& value, const char* name, bool otherwise) {
  if (value.IsUndefined()) return otherwise;
  if (!value.IsBoolean()) wrongType(value, name, "a boolean");
  return value.As<Napi::Boolean>().Value();
}

Napi::Function optionalFunction(const Napi::Value& value, const char* name) {
  return value.IsUndefined() ? Napi::Function() : functionArgument(value, name);
}

Napi::Uint8Array toUint8Array(Napi::Env env, const void* data, size_t size) {
  Napi::Uint8Array array = Napi::Uint8Array::New(env, size);
  if (size > 0) std::memcpy(array.Data(), data, size);
  return array;
}

Napi::Uint8Array adoptAsUint8Array(Napi::Env env, std::vector<uint8_t> bytes) {
  return adopt<Napi::Uint8Array>(env, std::move(bytes));
}

Napi::BigUint64Array adoptAsBigUint64Array(Napi::Env env, std::vector<uint64_t> words) {
  return adopt<Napi::BigUint64Array>(env, std::move(words));
}

}  // namespace xmcast
