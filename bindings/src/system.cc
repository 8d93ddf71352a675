#include "system.h"

#include <bpf/libbpf.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/vfs.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include "arguments.h"
#include "btf.h"
#include "error.h"
#include "object.h"
#include "socket-options.h"

namespace xmcast {
namespace {

constexpr int64_t NS_PER_SECOND = 1'000'000'000;

Napi::Value readBtf(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    // Through an object and not btf__parse(): only opening an object fills in the offsets of global variables.
    const auto object = openObject(stringArgument(info[0], "path"));
    return toLayout(info.Env(), bpf_object__btf(object->object));
  });
}

Napi::Value possibleCpus(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const int cpus = libbpf_num_possible_cpus();
    if (cpus < 0) fail(-cpus, "count possible CPUs");
    return Napi::Number::New(info.Env(), cpus);
  });
}

void mountBpffs(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const std::string path = stringArgument(info[0], "path");
    if (mount("bpf", path.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
      fail(errno, "mount bpffs at " + path);
  });
}

Napi::Value isBpffs(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string path = stringArgument(info[0], "path");
    struct statfs about;
    if (statfs(path.c_str(), &about) < 0) fail(errno, "look at the file system of " + path);
    return Napi::Boolean::New(info.Env(), static_cast<uint32_t>(about.f_type) == BPF_FS_MAGIC);
  });
}

Napi::Value queryXdp(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const uint32_t ifindex = uint32Argument(info[0], "ifindex");
    bpf_xdp_query_opts options{};
    options.sz = sizeof(options);
    const int error = bpf_xdp_query(static_cast<int>(ifindex), 0, &options);
    if (error < 0) fail(-error, "query XDP of ifindex " + std::to_string(ifindex));
    // prog_id is empty when several modes are in use at once: the native one then.
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("programId", options.prog_id != 0 ? options.prog_id : options.drv_prog_id);
    result.Set("mode", options.attach_mode);
    return result;
  });
}

// A leading @ stands for the NUL of an abstract address.
socklen_t notifyAddress(const std::string& name, sockaddr_un& address) {
  const std::string operation = "notify " + name;
  if (name.empty() || (name[0] != '/' && name[0] != '@')) fail(EAFNOSUPPORT, operation);
  if (name.size() >= sizeof(address.sun_path)) fail(ENAMETOOLONG, operation);
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  if (name[0] == '@') address.sun_path[0] = '\0';
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
}

Napi::Value sdNotify(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string state = stringArgument(info[0], "state");
    const char* name = std::getenv("NOTIFY_SOCKET");
    if (name == nullptr || *name == '\0') return Napi::Boolean::New(info.Env(), false);
    sockaddr_un address{};
    const socklen_t length = notifyAddress(name, address);
    const std::string operation = std::string("notify ") + name;
    const FileDescriptor fd = openSocket(AF_UNIX, SOCK_DGRAM, 0, operation);
    const auto* target = reinterpret_cast<const sockaddr*>(&address);
    if (sendto(fd.number(), state.data(), state.size(), MSG_NOSIGNAL, target, length) < 0) fail(errno, operation);
    return Napi::Boolean::New(info.Env(), true);
  });
}

Napi::Value monotonicNs(const Napi::CallbackInfo& info) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return Napi::BigInt::New(info.Env(), static_cast<int64_t>(now.tv_sec) * NS_PER_SECOND + now.tv_nsec);
}

}  // namespace

void defineSystem(Napi::Env env, Napi::Object exports) {
  exports.Set("readBtf", Napi::Function::New<readBtf>(env, "readBtf"));
  exports.Set("possibleCpus", Napi::Function::New<possibleCpus>(env, "possibleCpus"));
  exports.Set("mountBpffs", Napi::Function::New<mountBpffs>(env, "mountBpffs"));
  exports.Set("isBpffs", Napi::Function::New<isBpffs>(env, "isBpffs"));
  exports.Set("queryXdp", Napi::Function::New<queryXdp>(env, "queryXdp"));
  exports.Set("sdNotify", Napi::Function::New<sdNotify>(env, "sdNotify"));
  exports.Set("monotonicNs", Napi::Function::New<monotonicNs>(env, "monotonicNs"));
}

}  // namespace xmcast
