#include "device-feature.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arguments.h"
#include "async.h"
#include "socket-options.h"

namespace xmcast {
namespace {

constexpr uint32_t BITS = 32;

struct State {
  bool active;
  bool changeable;
};

std::string featureOf(const std::string& name, uint32_t ifindex) { return name + " of ifindex " + std::to_string(ifindex); }

// Commands of SIOCETHTOOL for one device. They may wait for the kernel's lock of all devices and for the hardware.
class Ethtool {
 public:
  explicit Ethtool(uint32_t ifindex) : socket(openSocket(AF_INET, SOCK_DGRAM, 0, "open a socket for ethtool")) {
    if (if_indextoname(ifindex, request.ifr_name) == nullptr) fail(errno, "find ifindex " + std::to_string(ifindex));
  }

  void run(void* command, const std::string& operation) {
    request.ifr_data = static_cast<char*>(command);
    if (ioctl(socket.number(), SIOCETHTOOL, &request) < 0) fail(errno, operation);
  }

 private:
  FileDescriptor socket;
  ifreq request{};
};

uint32_t countFeatures(Ethtool& device, const std::string& operation) {
  alignas(ethtool_sset_info) unsigned char bytes[sizeof(ethtool_sset_info) + sizeof(uint32_t)] = {};
  auto* info = reinterpret_cast<ethtool_sset_info*>(bytes);
  info->cmd = ETHTOOL_GSSET_INFO;
  info->sset_mask = 1ULL << ETH_SS_FEATURES;
  device.run(info, operation);
  return info->sset_mask == 0 ? 0 : info->data[0];
}

struct Feature {
  uint32_t number;
  // Of 32 features each. The kernel changes one of them only when all are passed.
  uint32_t blocks;
};

// Kernels number features as they please: the name is what stays.
std::optional<Feature> findFeature(Ethtool& device, const std::string& name, const std::string& operation) {
  const uint32_t count = countFeatures(device, operation);
  std::vector<unsigned char> bytes(sizeof(ethtool_gstrings) + size_t{count} * ETH_GSTRING_LEN);
  auto* strings = reinterpret_cast<ethtool_gstrings*>(bytes.data());
  strings->cmd = ETHTOOL_GSTRINGS;
  strings->string_set = ETH_SS_FEATURES;
  strings->len = count;
  device.run(strings, operation);
  for (uint32_t i = 0; i < count; i++) {
    const auto* found = reinterpret_cast<const char*>(strings->data) + size_t{i} * ETH_GSTRING_LEN;
    if (name == std::string(found, strnlen(found, ETH_GSTRING_LEN))) return Feature{i, (count + BITS - 1) / BITS};
  }
  return std::nullopt;
}

State readFeature(Ethtool& device, const Feature& feature, const std::string& operation) {
  const auto [number, blocks] = feature;
  std::vector<unsigned char> bytes(sizeof(ethtool_gfeatures) + blocks * sizeof(ethtool_get_features_block));
  auto* features = reinterpret_cast<ethtool_gfeatures*>(bytes.data());
  features->cmd = ETHTOOL_GFEATURES;
  features->size = blocks;
  device.run(features, operation);
  const ethtool_get_features_block& block = features->features[number / BITS];
  const uint32_t bit = 1U << (number % BITS);
  return {(block.active & bit) != 0, (block.available & bit) != 0 && (block.never_changed & bit) == 0};
}

void writeFeature(Ethtool& device, const Feature& feature, bool active, const std::string& operation) {
  const auto [number, blocks] = feature;
  std::vector<unsigned char> bytes(sizeof(ethtool_sfeatures) + blocks * sizeof(ethtool_set_features_block));
  auto* features = reinterpret_cast<ethtool_sfeatures*>(bytes.data());
  features->cmd = ETHTOOL_SFEATURES;
  features->size = blocks;
  ethtool_set_features_block& block = features->features[number / BITS];
  block.valid = 1U << (number % BITS);
  block.requested = active ? block.valid : 0;
  device.run(features, operation);
}

Napi::Value toValue(Napi::Env env, const std::optional<State>& state) {
  if (!state.has_value()) return env.Undefined();
  Napi::Object result = Napi::Object::New(env);
  result.Set("active", state->active);
  result.Set("changeable", state->changeable);
  return result;
}

Napi::Value deviceFeature(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const uint32_t ifindex = uint32Argument(info[0], "ifindex");
    const std::string name = stringArgument(info[1], "name");
    auto state = std::make_shared<std::optional<State>>();
    const auto work = [ifindex, name, state] {
      const std::string operation = "read " + featureOf(name, ifindex);
      Ethtool device(ifindex);
      const auto feature = findFeature(device, name, operation);
      if (feature.has_value()) *state = readFeature(device, *feature, operation);
    };
    return runAsync(info.Env(), work, [state](Napi::Env env) { return toValue(env, *state); });
  });
}

Napi::Value setDeviceFeature(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const uint32_t ifindex = uint32Argument(info[0], "ifindex");
    const std::string name = stringArgument(info[1], "name");
    const bool active = optionalBoolean(info[2], "active", true);
    const auto work = [ifindex, name, active] {
      const std::string operation = (active ? "switch on " : "switch off ") + featureOf(name, ifindex);
      Ethtool device(ifindex);
      const auto feature = findFeature(device, name, operation);
      if (!feature.has_value()) fail(EOPNOTSUPP, operation);
      writeFeature(device, *feature, active, operation);
    };
    return runAsync(info.Env(), work, [](Napi::Env env) { return env.Undefined(); });
  });
}

}  // namespace

void defineDeviceFeature(Napi::Env env, Napi::Object exports) {
  exports.Set("deviceFeature", Napi::Function::New<deviceFeature>(env, "deviceFeature"));
  exports.Set("setDeviceFeature", Napi::Function::New<setDeviceFeature>(env, "setDeviceFeature"));
}

}  // namespace xmcast
