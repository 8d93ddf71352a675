// Features of network devices as ethtool -k shows them: looked up by name, switched on and off.
#pragma once

#include <napi.h>

namespace xmcast {

void defineDeviceFeature(Napi::Env env, Napi::Object exports);

}  // namespace xmcast
