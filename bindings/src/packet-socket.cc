#include "packet-socket.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <cstring>
#include <ctime>
#include <utility>

#include "arguments.h"
#include "socket-options.h"

namespace xmcast {
namespace {

constexpr size_t ADDRESSES_BYTES = 2 * ETH_ALEN;
constexpr size_t VLAN_TAG_BYTES = 4;
constexpr int64_t NS_PER_SECOND = 1'000'000'000;

struct Settings {
  uint32_t ifindex;
  uint32_t protocol;
  bool allMulticast;
  bool promiscuous;
  bool outgoing;
  uint32_t receiveBufferBytes;
};

Settings readSettings(const Napi::Object& options) {
  return {uint32Argument(options.Get("ifindex"), "ifindex"),
          uint32Argument(options.Get("protocol"), "protocol"),
          optionalBoolean(options.Get("allMulticast"), "allMulticast", false),
          optionalBoolean(options.Get("promiscuous"), "promiscuous", false),
          optionalBoolean(options.Get("outgoing"), "outgoing", false),
          optionalUint32(options.Get("receiveBufferBytes"), "receiveBufferBytes", 0)};
}

std::string nameOf(uint32_t ifindex) { return "the packet socket on ifindex " + std::to_string(ifindex); }

sockaddr_ll linkAddress(uint32_t ifindex, uint16_t protocol) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(protocol);
  address.sll_ifindex = static_cast<int>(ifindex);
  return address;
}

void accept(const FileDescriptor& fd, uint32_t ifindex, uint16_t type, const std::string& what) {
  packet_mreq request{};
  request.mr_ifindex = static_cast<int>(ifindex);
  request.mr_type = type;
  setOption(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, request, "accept " + what + " on ifindex " + std::to_string(ifindex));
}

// Created with protocol 0 so that nothing arrives, least of all from other interfaces, before the options stand and bind() is
// done.
std::shared_ptr<FileDescriptor> openPacketSocket(const Settings& settings, bool receives) {
  const std::string name = nameOf(settings.ifindex);
  auto fd = closedInBackground(openSocket(AF_PACKET, SOCK_RAW, 0, "open " + name));
  setReceiveBuffer(*fd, settings.receiveBufferBytes, "size the buffer of " + name);
  setOption(*fd, SOL_SOCKET, SO_TIMESTAMPNS, 1, "ask for timestamps on " + name);
  setOption(*fd, SOL_PACKET, PACKET_AUXDATA, 1, "ask for VLAN tags on " + name);
  if (!settings.outgoing) setOption(*fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "ignore own frames on " + name);
  const sockaddr_ll address = linkAddress(settings.ifindex, receives ? static_cast<uint16_t>(settings.protocol) : 0);
  if (bind(fd->number(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0) fail(errno, "bind " + name);
  if (settings.allMulticast) accept(*fd, settings.ifindex, PACKET_MR_ALLMULTI, "all multicast");
  if (settings.promiscuous) accept(*fd, settings.ifindex, PACKET_MR_PROMISC, "every frame");
  return fd;
}

// The kernel and most NICs take the outer VLAN tag out of the frame and report it beside it: put it back.
void restoreVlanTag(Datagram& datagram, const tpacket_auxdata& aux) {
  if ((aux.tp_status & TP_STATUS_VLAN_VALID) == 0 || datagram.size < ADDRESSES_BYTES) return;
  const bool named = (aux.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0;
  const uint16_t tag[] = {htons(named ? aux.tp_vlan_tpid : static_cast<uint16_t>(ETH_P_8021Q)), htons(aux.tp_vlan_tci)};
  static_assert(sizeof(tag) == VLAN_TAG_BYTES && VLAN_TAG_BYTES <= Datagram::HEADROOM);
  std::memmove(datagram.data - VLAN_TAG_BYTES, datagram.data, ADDRESSES_BYTES);
  datagram.data -= VLAN_TAG_BYTES;
  datagram.size += VLAN_TAG_BYTES;
  std::memcpy(datagram.data + ADDRESSES_BYTES, tag, sizeof(tag));
}

// Reads what came beside the frame; returns the time of arrival in ns, 0 when the kernel gave none.
int64_t readAncillary(Datagram& datagram) {
  int64_t timestampNs = 0;
  auto* header = const_cast<msghdr*>(&datagram.header);
  for (cmsghdr* part = CMSG_FIRSTHDR(header); part != nullptr; part = CMSG_NXTHDR(header, part)) {
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SO_TIMESTAMPNS) {
      timespec time;
      std::memcpy(&time, CMSG_DATA(part), sizeof(time));
      timestampNs = time.tv_sec * NS_PER_SECOND + time.tv_nsec;
    }
    if (part->cmsg_level == SOL_PACKET && part->cmsg_type == PACKET_AUXDATA) {
      tpacket_auxdata aux;
      std::memcpy(&aux, CMSG_DATA(part), sizeof(aux));
      restoreVlanTag(datagram, aux);
    }
  }
  return timestampNs;
}

std::vector<napi_value> toArguments(Napi::Env env, Datagram& datagram) {
  const auto* sender = static_cast<const sockaddr_ll*>(datagram.header.msg_name);
  Napi::Object info = Napi::Object::New(env);
  info.Set("timestampNs", Napi::BigInt::New(env, readAncillary(datagram)));
  info.Set("outgoing", Napi::Boolean::New(env, sender->sll_pkttype == PACKET_OUTGOING));
  return {toUint8Array(env, datagram.data, datagram.size), info};
}

}  // namespace

void PacketSocket::define(Napi::Env env, Napi::Object exports) {
  exports.Set("PacketSocket", DefineClass(env, "PacketSocket",
                                          {
                                              InstanceMethod<&PacketSocket::send>("send"),
                                              InstanceMethod<&PacketSocket::close>("close"),
                                          }));
}

PacketSocket::PacketSocket(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PacketSocket>(info) {
  guarded(info.Env(), [&] {
    const Napi::Object options = objectArgument(info[0], "options");
    const Settings settings = readSettings(options);
    const Napi::Function onFrame = optionalFunction(options.Get("onFrame"), "onFrame");
    const Napi::Function onError = optionalFunction(options.Get("onError"), "onError");
    // Frames that nobody reads would only fill the buffer.
    const bool receives = settings.protocol != 0 && !onFrame.IsEmpty();
    auto fd = openPacketSocket(settings, receives);
    if (receives) receiver_ = DatagramReceiver::start(info.Env(), fd, nameOf(settings.ifindex), {toArguments, onFrame, onError});
    ifindex_ = settings.ifindex;
    fd_.set(std::move(fd));
  });
}

void PacketSocket::send(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const Bytes frame = bytesArgument(info[0], "frame");
    const auto& fd = fd_.require("send on a closed packet socket");
    const std::string operation = "send " + std::to_string(frame.size) + " bytes on " + nameOf(ifindex_);
    if (frame.size < ETH_HLEN) fail(EINVAL, operation);
    const auto etherType = static_cast<uint16_t>(frame.data[ADDRESSES_BYTES] << 8 | frame.data[ADDRESSES_BYTES + 1]);
    const sockaddr_ll address = linkAddress(ifindex_, etherType);
    const auto* target = reinterpret_cast<const sockaddr*>(&address);
    if (sendto(fd->number(), frame.data, frame.size, MSG_DONTWAIT, target, sizeof(address)) < 0) fail(errno, operation);
  });
}

void PacketSocket::close(const Napi::CallbackInfo&) {
  fd_.close();
  if (receiver_) receiver_->close();
  receiver_.reset();
}

}  // namespace xmcast
