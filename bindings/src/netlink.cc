#include "netlink.h"

#include <linux/netlink.h>

#include <utility>

#include "arguments.h"
#include "socket-options.h"

namespace xmcast {
namespace {

const char NAME[] = "the route netlink socket";

void bindToKernelChosenPort(const FileDescriptor& fd) {
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (bind(fd.number(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0)
    fail(errno, std::string("bind ") + NAME);
}

void joinGroups(const FileDescriptor& fd, const Napi::Value& value) {
  if (value.IsUndefined()) return;
  if (!value.IsArray()) throw Napi::TypeError::New(value.Env(), "groups must be an array");
  const Napi::Array groups = value.As<Napi::Array>();
  for (uint32_t i = 0; i < groups.Length(); i++) {
    const uint32_t group = uint32Argument(groups.Get(i), "groups");
    setOption(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group, "join netlink group " + std::to_string(group));
  }
}

std::shared_ptr<FileDescriptor> openRouteSocket(const Napi::Object& options) {
  auto fd = std::make_shared<FileDescriptor>(openSocket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, std::string("open ") + NAME));
  setReceiveBuffer(*fd, optionalUint32(options.Get("receiveBufferBytes"), "receiveBufferBytes", 0),
                   std::string("size the buffer of ") + NAME);
  // The kernel's words about a refused request, after the error number.
  setOption(*fd, SOL_NETLINK, NETLINK_EXT_ACK, 1, std::string("ask for extended errors on ") + NAME);
  bindToKernelChosenPort(*fd);
  joinGroups(*fd, options.Get("groups"));
  return fd;
}

// Any process may send to a netlink port; only the kernel (port 0) is believed.
std::vector<napi_value> toArguments(Napi::Env env, Datagram& datagram) {
  const auto* sender = static_cast<const sockaddr_nl*>(datagram.header.msg_name);
  if (datagram.header.msg_namelen < sizeof(*sender) || sender->nl_pid != 0) return {};
  return {toUint8Array(env, datagram.data, datagram.size)};
}

}  // namespace

void NetlinkSocket::define(Napi::Env env, Napi::Object exports) {
  exports.Set("NetlinkSocket", DefineClass(env, "NetlinkSocket",
                                           {
                                               InstanceMethod<&NetlinkSocket::send>("send"),
                                               InstanceMethod<&NetlinkSocket::close>("close"),
                                           }));
}

NetlinkSocket::NetlinkSocket(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NetlinkSocket>(info) {
  guarded(info.Env(), [&] {
    const Napi::Object options = objectArgument(info[0], "options");
    const Napi::Function onMessage = functionArgument(options.Get("onMessage"), "onMessage");
    const Napi::Function onError = functionArgument(options.Get("onError"), "onError");
    auto fd = openRouteSocket(options);
    receiver_ = DatagramReceiver::start(info.Env(), fd, NAME, {toArguments, onMessage, onError});
    fd_.set(std::move(fd));
  });
}

void NetlinkSocket::send(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const Bytes datagram = bytesArgument(info[0], "datagram");
    const auto& fd = fd_.require("send on a closed netlink socket");
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    const auto* address = reinterpret_cast<const sockaddr*>(&kernel);
    if (sendto(fd->number(), datagram.data, datagram.size, MSG_DONTWAIT, address, sizeof(kernel)) < 0) {
      fail(errno, std::string("send on ") + NAME);
    }
  });
}

void NetlinkSocket::close(const Napi::CallbackInfo&) {
  fd_.close();
  if (receiver_) receiver_->close();
  receiver_.reset();
}

}  // namespace xmcast
