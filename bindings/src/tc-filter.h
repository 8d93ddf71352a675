// attachTcFilter and detachTcFilter of index.d.ts: a program as a filter of clsact, for kernels without tcx (before Linux 6.6).
#pragma once

#include <napi.h>

namespace xmcast {

void defineTcFilter(Napi::Env env, Napi::Object exports);

}  // namespace xmcast
