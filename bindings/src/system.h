// The functions of index.d.ts that belong to no object: CPUs, bpffs, XDP query, sd_notify, clock, BTF of a file.
#pragma once

#include <napi.h>

namespace xmcast {

void defineSystem(Napi::Env env, Napi::Object exports);

}  // namespace xmcast
