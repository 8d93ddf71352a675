#include "link.h"

#include <bpf/bpf.h>
#include <net/if.h>
#include <unistd.h>

#include <utility>

#include "addon.h"
#include "arguments.h"
#include "async.h"
#include "program.h"

namespace xmcast {
namespace {

// Newer than the kernel headers of Debian 12 (Linux 6.1).
constexpr uint32_t LINK_TYPE_TCX = 11;
constexpr uint32_t ATTACH_TYPE_XDP = BPF_XDP;

bpf_link_info readInfo(int number, const std::string& operation) {
  bpf_link_info info{};
  uint32_t size = sizeof(info);
  const int error = bpf_obj_get_info_by_fd(number, &info, &size);
  if (error < 0) fail(-error, operation);
  return info;
}

// XDP and tcx links both begin their part of the info with the ifindex.
uint32_t ifindexOf(const bpf_link_info& info) {
  return info.type == BPF_LINK_TYPE_XDP || info.type == LINK_TYPE_TCX ? info.xdp.ifindex : 0;
}

// For XDP the kernel says EINVAL when there is no such interface; a caller that races with its removal needs to tell that apart.
bool isGone(int error, uint32_t ifindex) {
  char name[IF_NAMESIZE];
  return error == EINVAL && if_indextoname(ifindex, name) == nullptr;
}

// libbpf 1.1 has no call of its own for tcx; the attach type's number is enough for the kernel.
FileDescriptor createLink(const ProgramHandle& program, uint32_t ifindex, uint32_t attachType, uint32_t flags,
                          const std::string& operation) {
  bpf_link_create_opts options{};
  options.sz = sizeof(options);
  options.flags = flags;
  const int fd = bpf_link_create(program.number(), static_cast<int>(ifindex), static_cast<bpf_attach_type>(attachType), &options);
  if (fd < 0) fail(isGone(-fd, ifindex) ? ENODEV : -fd, operation);
  return FileDescriptor(fd);
}

Napi::Value attachLater(Napi::Env env, std::shared_ptr<ProgramHandle> program, uint32_t ifindex, uint32_t attachType,
                        uint32_t flags) {
  const std::string what = attachType == ATTACH_TYPE_XDP ? "XDP" : "attach type " + std::to_string(attachType);
  const std::string operation = "attach " + what + " to ifindex " + std::to_string(ifindex);
  auto attached = std::make_shared<std::shared_ptr<LinkHandle>>();
  return runAsync(
      env, [=] { *attached = describeLink(createLink(*program, ifindex, attachType, flags, operation), operation); },
      [attached](Napi::Env later) { return BpfLink::create(later, *attached); });
}

}  // namespace

std::shared_ptr<LinkHandle> describeLink(FileDescriptor fd, const std::string& operation) {
  const uint32_t id = readInfo(fd.number(), operation).id;
  return std::make_shared<LinkHandle>(LinkHandle{std::move(fd), id});
}

void BpfLink::define(Napi::Env env, Napi::Object exports) {
  const Napi::Function constructor = DefineClass(env, "BpfLink",
                                                 {
                                                     StaticMethod<&BpfLink::openPinned>("openPinned"),
                                                     StaticMethod<&BpfLink::attachXdp>("attachXdp"),
                                                     StaticMethod<&BpfLink::attach>("attach"),
                                                     InstanceAccessor<&BpfLink::id>("id"),
                                                     InstanceAccessor<&BpfLink::ifindex>("ifindex"),
                                                     InstanceAccessor<&BpfLink::programId>("programId"),
                                                     InstanceMethod<&BpfLink::update>("update"),
                                                     InstanceMethod<&BpfLink::detach>("detach"),
                                                     InstanceMethod<&BpfLink::pin>("pin"),
                                                     InstanceMethod<&BpfLink::unpin>("unpin"),
                                                     InstanceMethod<&BpfLink::close>("close"),
                                                 });
  Addon::of(env).link = Napi::Persistent(constructor);
  exports.Set("BpfLink", constructor);
}

Napi::Object BpfLink::create(Napi::Env env, std::shared_ptr<LinkHandle> link) {
  return wrap(env, Addon::of(env).link, std::move(link));
}

BpfLink::BpfLink(const Napi::CallbackInfo& info) : Napi::ObjectWrap<BpfLink>(info) {
  link_.set(unwrapConstruction<LinkHandle>(info));
}

Napi::Value BpfLink::openPinned(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string path = stringArgument(info[0], "path");
    const Napi::Object link = create(info.Env(), describeLink(openPinnedObject(path, "link"), "read the info of link " + path));
    Unwrap(link)->pinPath_ = path;
    return link;
  });
}

Napi::Value BpfLink::attachXdp(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const auto program = BpfProgram::argument(info[0]);
    const uint32_t ifindex = uint32Argument(info[1], "ifindex");
    return attachLater(info.Env(), program, ifindex, ATTACH_TYPE_XDP, uint32Argument(info[2], "flags"));
  });
}

Napi::Value BpfLink::attach(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const auto program = BpfProgram::argument(info[0]);
    const uint32_t ifindex = uint32Argument(info[1], "ifindex");
    return attachLater(info.Env(), program, ifindex, uint32Argument(info[2], "attachType"), 0);
  });
}

Napi::Value BpfLink::id(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), link_.require("read the id of a closed link")->id);
  });
}

// Asked each time: it becomes 0 when the device goes away.
Napi::Value BpfLink::ifindex(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& link = link_.require("read the interface of a closed link");
    return Napi::Number::New(info.Env(),
                             ifindexOf(readInfo(link->number(), "read the info of link " + std::to_string(link->id))));
  });
}

Napi::Value BpfLink::programId(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& link = link_.require("read the program of a closed link");
    const std::string operation = "read the info of link " + std::to_string(link->id);
    return Napi::Number::New(info.Env(), readInfo(link->number(), operation).prog_id);
  });
}

Napi::Value BpfLink::update(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const auto link = link_.require("update a closed link");
    const auto program = BpfProgram::argument(info[0]);
    return runAsync(
        info.Env(),
        [link, program] {
          const int error = bpf_link_update(link->number(), program->number(), nullptr);
          if (error < 0) fail(-error, "update link " + std::to_string(link->id) + " to program " + program->name);
        },
        [](Napi::Env env) { return env.Undefined(); });
  });
}

Napi::Value BpfLink::detach(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const auto link = link_.require("detach a closed link");
    return runAsync(
        info.Env(),
        [link] {
          const int error = bpf_link_detach(link->number());
          if (error < 0) fail(-error, "detach link " + std::to_string(link->id));
        },
        [](Napi::Env env) { return env.Undefined(); });
  });
}

void BpfLink::pin(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const std::string path = stringArgument(info[0], "path");
    const auto& link = link_.require("pin a closed link");
    const int error = bpf_obj_pin(link->number(), path.c_str());
    if (error < 0) fail(-error, "pin link " + std::to_string(link->id) + " at " + path);
    pinPath_ = path;
  });
}

void BpfLink::unpin(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const auto& link = link_.require("unpin a closed link");
    if (pinPath_.empty()) fail(EINVAL, "unpin link " + std::to_string(link->id) + " which is not pinned");
    if (unlink(pinPath_.c_str()) < 0) fail(errno, "unpin link " + std::to_string(link->id) + " at " + pinPath_);
    pinPath_.clear();
  });
}

void BpfLink::close(const Napi::CallbackInfo&) { link_.close(); }

}  // namespace xmcast
