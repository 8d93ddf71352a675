#include "raw-socket.h"

#include <netinet/in.h>
#include <netinet/ip.h>

#include <cstring>
#include <utility>

#include "arguments.h"
#include "socket-options.h"

namespace xmcast {
namespace {

std::string nameOf(uint32_t protocol) { return "the raw socket of IP protocol " + std::to_string(protocol); }

std::shared_ptr<FileDescriptor> openRawSocket(uint32_t protocol) {
  const std::string name = nameOf(protocol);
  auto fd = std::make_shared<FileDescriptor>(openSocket(AF_INET, SOCK_RAW, static_cast<int>(protocol), "open " + name));
  setOption(*fd, IPPROTO_IP, IP_HDRINCL, 1, "bring own headers on " + name);
  setOption(*fd, IPPROTO_IP, IP_PKTINFO, 1, "ask for arrival interfaces on " + name);
  return fd;
}

int arrivalInterface(const Datagram& datagram) {
  auto* header = const_cast<msghdr*>(&datagram.header);
  for (cmsghdr* part = CMSG_FIRSTHDR(header); part != nullptr; part = CMSG_NXTHDR(header, part)) {
    if (part->cmsg_level != IPPROTO_IP || part->cmsg_type != IP_PKTINFO) continue;
    in_pktinfo info;
    std::memcpy(&info, CMSG_DATA(part), sizeof(info));
    return info.ipi_ifindex;
  }
  return 0;
}

std::vector<napi_value> toArguments(Napi::Env env, Datagram& datagram) {
  Napi::Object info = Napi::Object::New(env);
  info.Set("ifindex", arrivalInterface(datagram));
  return {toUint8Array(env, datagram.data, datagram.size), info};
}

// The interface goes in per packet (ipi_ifindex): one socket serves them all, and the routing table has no say.
ssize_t sendOut(int number, const Bytes& packet, uint32_t ifindex) {
  sockaddr_in target{};
  target.sin_family = AF_INET;
  std::memcpy(&target.sin_addr, packet.data + offsetof(iphdr, daddr), sizeof(target.sin_addr));
  iovec content{const_cast<uint8_t*>(packet.data), packet.size};
  in_pktinfo out{};
  out.ipi_ifindex = static_cast<int>(ifindex);
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(out))] = {};
  msghdr header{};
  header.msg_name = &target;
  header.msg_namelen = sizeof(target);
  header.msg_iov = &content;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  cmsghdr* part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = IPPROTO_IP;
  part->cmsg_type = IP_PKTINFO;
  part->cmsg_len = CMSG_LEN(sizeof(out));
  std::memcpy(CMSG_DATA(part), &out, sizeof(out));
  return sendmsg(number, &header, MSG_DONTWAIT);
}

}  // namespace

void RawIpSocket::define(Napi::Env env, Napi::Object exports) {
  exports.Set("RawIpSocket", DefineClass(env, "RawIpSocket",
                                         {
                                             InstanceMethod<&RawIpSocket::send>("send"),
                                             InstanceMethod<&RawIpSocket::close>("close"),
                                         }));
}

RawIpSocket::RawIpSocket(const Napi::CallbackInfo& info) : Napi::ObjectWrap<RawIpSocket>(info) {
  guarded(info.Env(), [&] {
    const Napi::Object options = objectArgument(info[0], "options");
    protocol_ = uint32Argument(options.Get("protocol"), "protocol");
    const Napi::Function onPacket = optionalFunction(options.Get("onPacket"), "onPacket");
    const Napi::Function onError = optionalFunction(options.Get("onError"), "onError");
    auto fd = openRawSocket(protocol_);
    if (!onPacket.IsEmpty())
      receiver_ = DatagramReceiver::start(info.Env(), fd, nameOf(protocol_), {toArguments, onPacket, onError});
    fd_.set(std::move(fd));
  });
}

void RawIpSocket::send(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const Bytes packet = bytesArgument(info[0], "packet");
    const uint32_t ifindex = uint32Argument(info[1], "ifindex");
    const auto& fd = fd_.require("send on a closed raw socket");
    const std::string operation = "send " + std::to_string(packet.size) + " bytes of IP protocol " + std::to_string(protocol_) +
                                  " on ifindex " + std::to_string(ifindex);
    if (packet.size < sizeof(iphdr)) fail(EINVAL, operation);
    if (sendOut(fd->number(), packet, ifindex) < 0) fail(errno, operation);
  });
}

void RawIpSocket::close(const Napi::CallbackInfo&) {
  fd_.close();
  if (receiver_) receiver_->close();
  receiver_.reset();
}

}  // namespace xmcast
