#include "addon.h"

#include "device-feature.h"
#include "file-lock.h"
#include "libbpf-log.h"
#include "link.h"
#include "map.h"
#include "netlink.h"
#include "object.h"
#include "packet-socket.h"
#include "program.h"
#include "raw-socket.h"
#include "ring-buffer.h"
#include "system.h"
#include "tc-filter.h"

namespace xmcast {
namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  installLibbpfLog();
  env.SetInstanceData(new Addon());
  BpfMap::define(env, exports);
  BpfProgram::define(env, exports);
  BpfLink::define(env, exports);
  BpfObject::define(env, exports);
  RingBufferReader::define(env, exports);
  NetlinkSocket::define(env, exports);
  PacketSocket::define(env, exports);
  RawIpSocket::define(env, exports);
  FileLock::define(env, exports);
  defineDeviceFeature(env, exports);
  defineSystem(env, exports);
  defineTcFilter(env, exports);
  return exports;
}

NODE_API_MODULE(xmcast_bindings, init)

}  // namespace
}  // namespace xmcast
