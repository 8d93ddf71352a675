#include "device.h"

#include <linux/ethtool.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arguments.h"
#include "async.h"
#include "error.h"
#include "socket-options.h"

namespace xmcast {
namespace {

constexpr uint32_t ANSWER_BYTES = 16384;
constexpr uint32_t FEATURE_NAME_BYTES = ETH_GSTRING_LEN;
constexpr uint32_t BITS_PER_BLOCK = 32;

struct LinkRequest {
  nlmsghdr header;
  ifinfomsg link;
};

LinkRequest linkRequest(uint16_t type, uint16_t flags, uint32_t ifindex) {
  LinkRequest request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  request.link.ifi_family = AF_UNSPEC;
  request.link.ifi_index = static_cast<int>(ifindex);
  return request;
}

// The first message of the answer, which is there when send() returns: the kernel works rtnetlink requests off at once.
std::vector<uint8_t> ask(const FileDescriptor& socket, const LinkRequest& request, const std::string& operation) {
  if (send(socket.number(), &request, sizeof(request), 0) < 0) fail(errno, operation);
  std::vector<uint8_t> answer(ANSWER_BYTES);
  const ssize_t size = recv(socket.number(), answer.data(), answer.size(), 0);
  if (size < 0) fail(errno, operation);
  if (static_cast<size_t>(size) < sizeof(nlmsghdr)) fail(EPROTO, operation);
  answer.resize(static_cast<size_t>(size));
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer.data());
  if (header->nlmsg_type != NLMSG_ERROR) return answer;
  const auto* error = reinterpret_cast<const nlmsgerr*>(NLMSG_DATA(header));
  if (answer.size() < NLMSG_LENGTH(sizeof(int))) fail(EPROTO, operation);
  if (error->error != 0) fail(-error->error, operation);
  return answer;
}

bool linkFlagIsOn(const FileDescriptor& socket, uint32_t ifindex, uint32_t flag, const std::string& operation) {
  const std::vector<uint8_t> answer = ask(socket, linkRequest(RTM_GETLINK, 0, ifindex), operation);
  if (answer.size() < NLMSG_LENGTH(sizeof(ifinfomsg))) fail(EPROTO, operation);
  const auto* link = reinterpret_cast<const ifinfomsg*>(NLMSG_DATA(reinterpret_cast<const nlmsghdr*>(answer.data())));
  return (link->ifi_flags & flag) != 0;
}

// By rtnetlink and not by ioctl: it names the one flag, where an ioctl would write all of them, as they were a moment ago.
bool setLinkFlag(uint32_t ifindex, uint32_t flag, bool on, const std::string& operation) {
  const FileDescriptor socket = openSocket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, operation);
  if (linkFlagIsOn(socket, ifindex, flag, operation) == on) return false;
  LinkRequest request = linkRequest(RTM_NEWLINK, NLM_F_ACK, ifindex);
  request.link.ifi_change = flag;
  request.link.ifi_flags = on ? flag : 0;
  ask(socket, request, operation);
  return true;
}

// The ethtool requests of one device.
class Ethtool {
 public:
  Ethtool(uint32_t ifindex, std::string operation)
      : operation_(std::move(operation)), socket_(openSocket(AF_INET, SOCK_DGRAM, 0, operation_)) {
    if (if_indextoname(ifindex, name_) == nullptr) fail(ENODEV, operation_);
  }

  // false where the driver knows no such request.
  bool run(void* data) const {
    ifreq request{};
    std::memcpy(request.ifr_name, name_, sizeof(request.ifr_name));
    request.ifr_data = static_cast<char*>(data);
    if (ioctl(socket_.number(), SIOCETHTOOL, &request) >= 0) return true;
    if (errno == EOPNOTSUPP) return false;
    fail(errno, operation_);
  }

 private:
  std::string operation_;
  FileDescriptor socket_;
  char name_[IF_NAMESIZE] = {};
};

template <typename Header>
Header* headerOf(std::vector<uint8_t>& bytes) {
  return reinterpret_cast<Header*>(bytes.data());
}

uint32_t featureCount(const Ethtool& device) {
  std::vector<uint8_t> bytes(sizeof(ethtool_sset_info) + sizeof(uint32_t));
  auto* info = headerOf<ethtool_sset_info>(bytes);
  info->cmd = ETHTOOL_GSSET_INFO;
  info->sset_mask = 1ULL << ETH_SS_FEATURES;
  if (!device.run(bytes.data()) || info->sset_mask == 0) return 0;
  uint32_t count = 0;
  std::memcpy(&count, bytes.data() + sizeof(ethtool_sset_info), sizeof(count));
  return count;
}

std::optional<uint32_t> indexOfFeature(const Ethtool& device, const std::string& feature, uint32_t count) {
  std::vector<uint8_t> bytes(sizeof(ethtool_gstrings) + static_cast<size_t>(count) * FEATURE_NAME_BYTES);
  auto* strings = headerOf<ethtool_gstrings>(bytes);
  strings->cmd = ETHTOOL_GSTRINGS;
  strings->string_set = ETH_SS_FEATURES;
  strings->len = count;
  if (!device.run(bytes.data())) return std::nullopt;
  for (uint32_t i = 0; i < std::min(count, strings->len); i++) {
    const auto* name = reinterpret_cast<const char*>(bytes.data() + sizeof(ethtool_gstrings)) + i * FEATURE_NAME_BYTES;
    if (feature.compare(0, std::string::npos, name, strnlen(name, FEATURE_NAME_BYTES)) == 0) return i;
  }
  return std::nullopt;
}

struct FeatureState {
  uint32_t index;
  uint32_t blocks;
  bool active;
  bool changeable;
};

std::optional<FeatureState> stateOf(const Ethtool& device, const std::string& feature) {
  const uint32_t count = featureCount(device);
  const std::optional<uint32_t> index = indexOfFeature(device, feature, count);
  if (!index) return std::nullopt;
  const uint32_t blocks = (count + BITS_PER_BLOCK - 1) / BITS_PER_BLOCK;
  std::vector<uint8_t> bytes(sizeof(ethtool_gfeatures) + blocks * sizeof(ethtool_get_features_block));
  auto* features = headerOf<ethtool_gfeatures>(bytes);
  features->cmd = ETHTOOL_GFEATURES;
  features->size = blocks;
  if (!device.run(bytes.data())) return std::nullopt;
  ethtool_get_features_block block{};
  const size_t at = sizeof(ethtool_gfeatures) + *index / BITS_PER_BLOCK * sizeof(block);
  std::memcpy(&block, bytes.data() + at, sizeof(block));
  const uint32_t bit = 1U << (*index % BITS_PER_BLOCK);
  return FeatureState{*index, blocks, (block.active & bit) != 0, (block.available & bit) != 0};
}

bool changeFeature(uint32_t ifindex, const std::string& feature, bool on, const std::string& operation) {
  const Ethtool device(ifindex, operation);
  const std::optional<FeatureState> state = stateOf(device, feature);
  if (!state || !state->changeable || state->active == on) return false;
  std::vector<uint8_t> bytes(sizeof(ethtool_sfeatures) + state->blocks * sizeof(ethtool_set_features_block));
  auto* request = headerOf<ethtool_sfeatures>(bytes);
  request->cmd = ETHTOOL_SFEATURES;
  request->size = state->blocks;
  const uint32_t bit = 1U << (state->index % BITS_PER_BLOCK);
  const ethtool_set_features_block block{bit, on ? bit : 0};
  std::memcpy(bytes.data() + sizeof(ethtool_sfeatures) + state->index / BITS_PER_BLOCK * sizeof(block), &block, sizeof(block));
  return device.run(bytes.data());
}

bool featureIsOn(uint32_t ifindex, const std::string& feature, const std::string& operation) {
  const std::optional<FeatureState> state = stateOf(Ethtool(ifindex, operation), feature);
  return state && state->active;
}

Napi::Value answerLater(Napi::Env env, const std::function<bool()>& question) {
  auto answer = std::make_shared<bool>(false);
  return runAsync(
      env, [answer, question] { *answer = question(); },
      [answer](Napi::Env later) { return Napi::Boolean::New(later, *answer); });
}

std::string describe(const std::string& what, uint32_t ifindex) { return what + " of ifindex " + std::to_string(ifindex); }

Napi::Value setFlag(const Napi::CallbackInfo& info, uint32_t flag, const std::string& name) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const uint32_t ifindex = uint32Argument(info[0], "ifindex");
    const bool on = optionalBoolean(info[1], "on", true);
    const std::string operation = describe("set " + name + (on ? " on" : " off"), ifindex);
    return answerLater(info.Env(), [=] { return setLinkFlag(ifindex, flag, on, operation); });
  });
}

Napi::Value queryFlag(const Napi::CallbackInfo& info, uint32_t flag, const std::string& name) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const uint32_t ifindex = uint32Argument(info[0], "ifindex");
    const std::string operation = describe("query " + name, ifindex);
    return answerLater(info.Env(), [=] {
      return linkFlagIsOn(openSocket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, operation), ifindex, flag, operation);
    });
  });
}

Napi::Value queryAllMulticast(const Napi::CallbackInfo& info) { return queryFlag(info, IFF_ALLMULTI, "allmulti"); }

Napi::Value queryPromiscuous(const Napi::CallbackInfo& info) { return queryFlag(info, IFF_PROMISC, "promisc"); }

Napi::Value setAllMulticast(const Napi::CallbackInfo& info) { return setFlag(info, IFF_ALLMULTI, "allmulti"); }

Napi::Value setPromiscuous(const Napi::CallbackInfo& info) { return setFlag(info, IFF_PROMISC, "promisc"); }

Napi::Value queryFeature(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const uint32_t ifindex = uint32Argument(info[0], "ifindex");
    const std::string feature = stringArgument(info[1], "feature");
    return answerLater(info.Env(), [=] { return featureIsOn(ifindex, feature, describe("query feature " + feature, ifindex)); });
  });
}

Napi::Value setFeature(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const uint32_t ifindex = uint32Argument(info[0], "ifindex");
    const std::string feature = stringArgument(info[1], "feature");
    const bool on = optionalBoolean(info[2], "on", true);
    const std::string operation = describe("set feature " + feature + (on ? " on" : " off"), ifindex);
    return answerLater(info.Env(), [=] { return changeFeature(ifindex, feature, on, operation); });
  });
}

}  // namespace

void defineDevice(Napi::Env env, Napi::Object exports) {
  exports.Set("queryAllMulticast", Napi::Function::New<queryAllMulticast>(env, "queryAllMulticast"));
  exports.Set("queryPromiscuous", Napi::Function::New<queryPromiscuous>(env, "queryPromiscuous"));
  exports.Set("setAllMulticast", Napi::Function::New<setAllMulticast>(env, "setAllMulticast"));
  exports.Set("setPromiscuous", Napi::Function::New<setPromiscuous>(env, "setPromiscuous"));
  exports.Set("queryFeature", Napi::Function::New<queryFeature>(env, "queryFeature"));
  exports.Set("setFeature", Napi::Function::New<setFeature>(env, "setFeature"));
}

}  // namespace xmcast
