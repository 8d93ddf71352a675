// BTF of an object file as the BtfLayout of index.d.ts. Reads only; nothing here is in the kernel.
#pragma once

#include <bpf/btf.h>
#include <napi.h>

namespace xmcast {

// A null `types` (object without BTF) gives an empty layout.
Napi::Object toLayout(Napi::Env env, const btf* types);

}  // namespace xmcast
