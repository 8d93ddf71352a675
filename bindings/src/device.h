// Settings of network devices that outlive the process: IFF_ALLMULTI and IFF_PROMISC by rtnetlink, features by ethtool.
#pragma once

#include <napi.h>

namespace xmcast {

void defineDevice(Napi::Env env, Napi::Object exports);

}  // namespace xmcast
