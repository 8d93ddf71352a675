#include "error.h"

#include <bpf/libbpf.h>

#include <cstring>

namespace xmcast {
namespace {

// The kernel's own errno for "this map has no such operation"; libc does not know it.
constexpr int KERNEL_ENOTSUPP = 524;

// libbpf's own numbers, for files it cannot take: from __LIBBPF_ERRNO__START.
std::string nameOfLibbpf(int number) {
  switch (number) {
    case LIBBPF_ERRNO__LIBELF: return "LIBBPF_LIBELF";
    case LIBBPF_ERRNO__FORMAT: return "LIBBPF_FORMAT";
    case LIBBPF_ERRNO__KVERSION: return "LIBBPF_KVERSION";
    case LIBBPF_ERRNO__ENDIAN: return "LIBBPF_ENDIAN";
    case LIBBPF_ERRNO__RELOC: return "LIBBPF_RELOC";
    case LIBBPF_ERRNO__VERIFY: return "LIBBPF_VERIFY";
    case LIBBPF_ERRNO__PROG2BIG: return "LIBBPF_PROG2BIG";
    default: return "LIBBPF_" + std::to_string(number);
  }
}

std::string nameOf(int number) {
  if (number >= __LIBBPF_ERRNO__START) return nameOfLibbpf(number);
  if (number == KERNEL_ENOTSUPP) return "ENOTSUPP";
  const char* name = strerrorname_np(number);
  return name != nullptr ? name : "E" + std::to_string(number);
}

std::string describe(int number) {
  if (number >= __LIBBPF_ERRNO__START) {
    char words[128] = "";
    libbpf_strerror(number, words, sizeof(words));
    return words;
  }
  if (number == KERNEL_ENOTSUPP) return "Operation is not supported";
  const char* words = strerrordesc_np(number);
  return words != nullptr ? words : "Unknown error " + std::to_string(number);
}

}  // namespace

SystemFailure::SystemFailure(int failedWith, std::string attempted)
    : number(failedWith), operation(std::move(attempted)), libbpfLog(currentLibbpfLog()), code(nameOf(failedWith)) {}

void fail(int number, std::string operation) { throw SystemFailure(number, std::move(operation)); }

Napi::Error toError(Napi::Env env, const SystemFailure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.operation + ": " + failure.code + ": " + describe(failure.number));
  error.Set("errno", Napi::Number::New(env, failure.number));
  error.Set("code", Napi::String::New(env, failure.code));
  error.Set("operation", Napi::String::New(env, failure.operation));
  error.Set("libbpfLog", Napi::String::New(env, failure.libbpfLog));
  if (failure.processed) error.Set("processed", Napi::Number::New(env, *failure.processed));
  return error;
}

}  // namespace xmcast
