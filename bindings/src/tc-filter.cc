#include "tc-filter.h"

#include <bpf/libbpf.h>

#include <string>

#include "arguments.h"
#include "async.h"
#include "error.h"
#include "program.h"

namespace xmcast {
namespace {

// Together they name one filter of an interface.
struct FilterPlace {
  uint32_t ifindex;
  bool egress;
  uint32_t priority;
  uint32_t handle;
};

FilterPlace placeArgument(const Napi::Value& value) {
  const Napi::Object place = objectArgument(value, "place");
  return {uint32Argument(place.Get("ifindex"), "ifindex"), place.Get("egress").ToBoolean().Value(),
          uint32Argument(place.Get("priority"), "priority"), uint32Argument(place.Get("handle"), "handle")};
}

bpf_tc_hook hookOf(const FilterPlace& place) {
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = static_cast<int>(place.ifindex);
  hook.attach_point = place.egress ? BPF_TC_EGRESS : BPF_TC_INGRESS;
  return hook;
}

bpf_tc_opts optionsFor(const FilterPlace& place) {
  bpf_tc_opts options{};
  options.sz = sizeof(options);
  options.priority = place.priority;
  options.handle = place.handle;
  return options;
}

std::string describe(const std::string& verb, const FilterPlace& place) {
  return verb + " tc filter " + std::to_string(place.handle) + " of ifindex " + std::to_string(place.ifindex);
}

void attach(const ProgramHandle& program, const FilterPlace& place) {
  bpf_tc_hook hook = hookOf(place);
  const std::string operation = describe("attach", place);
  const int made = bpf_tc_hook_create(&hook);
  if (made < 0 && made != -EEXIST) fail(-made, operation);
  bpf_tc_opts options = optionsFor(place);
  options.prog_fd = program.number();
  options.flags = BPF_TC_F_REPLACE;
  const int error = bpf_tc_attach(&hook, &options);
  if (error < 0) fail(-error, operation);
}

bool detach(const FilterPlace& place) {
  const bpf_tc_hook hook = hookOf(place);
  const bpf_tc_opts options = optionsFor(place);
  const int error = bpf_tc_detach(&hook, &options);
  // No such device, no clsact on it, no such filter.
  if (error == -ENODEV || error == -EINVAL || error == -ENOENT) return false;
  if (error < 0) fail(-error, describe("detach", place));
  return true;
}

uint32_t programAt(const FilterPlace& place) {
  const bpf_tc_hook hook = hookOf(place);
  bpf_tc_opts options = optionsFor(place);
  const int error = bpf_tc_query(&hook, &options);
  if (error == -ENODEV || error == -EINVAL || error == -ENOENT) return 0;
  if (error < 0) fail(-error, describe("query", place));
  return options.prog_id;
}

Napi::Value attachTcFilter(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const auto program = BpfProgram::argument(info[0]);
    const FilterPlace place = placeArgument(info[1]);
    return runAsync(
        info.Env(), [program, place] { attach(*program, place); }, [](Napi::Env env) { return env.Undefined(); });
  });
}

Napi::Value detachTcFilter(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const FilterPlace place = placeArgument(info[0]);
    auto found = std::make_shared<bool>(false);
    return runAsync(
        info.Env(), [place, found] { *found = detach(place); },
        [found](Napi::Env env) { return Napi::Boolean::New(env, *found); });
  });
}

Napi::Value queryTcFilter(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const FilterPlace place = placeArgument(info[0]);
    auto id = std::make_shared<uint32_t>(0);
    return runAsync(
        info.Env(), [place, id] { *id = programAt(place); }, [id](Napi::Env env) { return Napi::Number::New(env, *id); });
  });
}

}  // namespace

void defineTcFilter(Napi::Env env, Napi::Object exports) {
  exports.Set("attachTcFilter", Napi::Function::New<attachTcFilter>(env, "attachTcFilter"));
  exports.Set("detachTcFilter", Napi::Function::New<detachTcFilter>(env, "detachTcFilter"));
  exports.Set("queryTcFilter", Napi::Function::New<queryTcFilter>(env, "queryTcFilter"));
}

}  // namespace xmcast
