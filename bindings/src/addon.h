// What the addon keeps per JavaScript environment: the constructors, so that one class can make and recognise another.
#pragma once

#include <napi.h>

#include <memory>

#include "error.h"

namespace xmcast {

struct Addon {
  Napi::FunctionReference map;
  Napi::FunctionReference program;
  Napi::FunctionReference link;
  Napi::FunctionReference object;

  static Addon& of(Napi::Env env) { return *env.GetInstanceData<Addon>(); }
};

// Makes a JavaScript object of a class whose constructor is private: the resource travels as an External, which JavaScript
// cannot forge.
template <typename Resource>
Napi::Object wrap(Napi::Env env, const Napi::FunctionReference& constructor, std::shared_ptr<Resource> resource) {
  Napi::EscapableHandleScope scope(env);
  const Napi::Value carrier = Napi::External<std::shared_ptr<Resource>>::New(env, &resource);
  return scope.Escape(constructor.New({carrier})).template As<Napi::Object>();
}

// The other end of wrap(), for constructors.
template <typename Resource>
std::shared_ptr<Resource> unwrapConstruction(const Napi::CallbackInfo& info) {
  if (info.Length() != 1 || !info[0].IsExternal()) throw Napi::TypeError::New(info.Env(), "Illegal constructor");
  return *info[0].As<Napi::External<std::shared_ptr<Resource>>>().Data();
}

// The C++ side of an argument that must be an instance of one of our classes.
template <typename Class>
Class& instanceArgument(const Napi::Value& value, const Napi::FunctionReference& constructor, const char* what) {
  if (!value.IsObject() || !value.As<Napi::Object>().InstanceOf(constructor.Value())) {
    throw Napi::TypeError::New(value.Env(), std::string(what) + " expected");
  }
  return *Class::Unwrap(value.As<Napi::Object>());
}

}  // namespace xmcast
