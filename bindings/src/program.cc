#include "program.h"

#include <bpf/bpf.h>

#include <utility>

#include "addon.h"
#include "arguments.h"
#include "async.h"
#include "program-run.h"

namespace xmcast {
namespace {

constexpr uint32_t INSTRUCTION_BYTES = 8;

RunRequest runRequestArgument(const Napi::Value& value) {
  const Napi::Object options = objectArgument(value, "options");
  RunRequest request;
  request.data = bytesArgument(options.Get("data"), "data").copy();
  if (!options.Get("dataMeta").IsUndefined()) request.dataMeta = bytesArgument(options.Get("dataMeta"), "dataMeta").copy();
  request.repeat = optionalUint32(options.Get("repeat"), "repeat", 1);
  request.ingressIfindex = optionalUint32(options.Get("ingressIfindex"), "ingressIfindex", 0);
  request.mark = optionalUint32(options.Get("mark"), "mark", 0);
  request.dataSizeOut = optionalUint32(options.Get("dataSizeOut"), "dataSizeOut", 0);
  return request;
}

Napi::Value toRunResult(Napi::Env env, const RunOutcome& outcome) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("retval", outcome.retval);
  result.Set("dataOut", toUint8Array(env, outcome.dataOut.data(), outcome.dataOut.size()));
  result.Set("durationNs", outcome.durationNs);
  return result;
}

}  // namespace

std::shared_ptr<ProgramHandle> describeProgram(FileDescriptor fd, const std::string& operation, const std::string& fullName) {
  bpf_prog_info info{};
  uint32_t size = sizeof(info);
  const int error = bpf_obj_get_info_by_fd(fd.number(), &info, &size);
  if (error < 0) fail(-error, operation);
  const std::string name = fullName.empty() ? std::string(info.name) : fullName;
  return std::make_shared<ProgramHandle>(
      ProgramHandle{std::move(fd), name, info.id, info.type, info.xlated_prog_len / INSTRUCTION_BYTES, info.verified_insns});
}

void BpfProgram::define(Napi::Env env, Napi::Object exports) {
  const Napi::Function constructor = DefineClass(env, "BpfProgram",
                                                 {
                                                     StaticMethod<&BpfProgram::openPinned>("openPinned"),
                                                     InstanceAccessor<&BpfProgram::name>("name"),
                                                     InstanceAccessor<&BpfProgram::fd>("fd"),
                                                     InstanceAccessor<&BpfProgram::id>("id"),
                                                     InstanceAccessor<&BpfProgram::info>("info"),
                                                     InstanceMethod<&BpfProgram::run>("run"),
                                                     InstanceMethod<&BpfProgram::runAsync>("runAsync"),
                                                     InstanceMethod<&BpfProgram::runLive>("runLive"),
                                                     InstanceMethod<&BpfProgram::pin>("pin"),
                                                     InstanceMethod<&BpfProgram::close>("close"),
                                                 });
  Addon::of(env).program = Napi::Persistent(constructor);
  exports.Set("BpfProgram", constructor);
}

Napi::Object BpfProgram::create(Napi::Env env, std::shared_ptr<ProgramHandle> program) {
  return wrap(env, Addon::of(env).program, std::move(program));
}

std::shared_ptr<ProgramHandle> BpfProgram::argument(const Napi::Value& value) {
  return instanceArgument<BpfProgram>(value, Addon::of(value.Env()).program, "a BpfProgram")
      .program_.require("use a closed program");
}

BpfProgram::BpfProgram(const Napi::CallbackInfo& info) : Napi::ObjectWrap<BpfProgram>(info) {
  program_.set(unwrapConstruction<ProgramHandle>(info));
}

Napi::Value BpfProgram::openPinned(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string path = stringArgument(info[0], "path");
    return create(info.Env(), describeProgram(openPinnedObject(path, "prog"), "read the info of program " + path));
  });
}

Napi::Value BpfProgram::name(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::String::New(info.Env(), program_.require("read the name of a closed program")->name);
  });
}

Napi::Value BpfProgram::fd(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), program_.require("read the descriptor of a closed program")->number());
  });
}

Napi::Value BpfProgram::id(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), program_.require("read the id of a closed program")->id);
  });
}

Napi::Value BpfProgram::info(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& program = program_.require("read the info of a closed program");
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("translatedInstructions", program->translatedInstructions);
    result.Set("verifiedInstructions", program->verifiedInstructions);
    return result;
  });
}

Napi::Value BpfProgram::run(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& program = program_.require("run a closed program");
    return toRunResult(info.Env(), runProgram(*program, runRequestArgument(info[0])));
  });
}

Napi::Value BpfProgram::runAsync(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const auto program = program_.require("run a closed program");
    const RunRequest request = runRequestArgument(info[0]);
    auto outcome = std::make_shared<RunOutcome>();
    return xmcast::runAsync(
        info.Env(), [program, request, outcome] { *outcome = runProgram(*program, request); },
        [outcome](Napi::Env env) { return toRunResult(env, *outcome); });
  });
}

Napi::Value BpfProgram::runLive(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    const auto program = program_.require("run a closed program");
    const Napi::Object options = objectArgument(info[0], "options");
    LiveRunRequest request;
    request.data = bytesArgument(options.Get("data"), "data").copy();
    request.repeat = uint32Argument(options.Get("repeat"), "repeat");
    request.ingressIfindex = uint32Argument(options.Get("ingressIfindex"), "ingressIfindex");
    request.batchSize = optionalUint32(options.Get("batchSize"), "batchSize", 0);
    return xmcast::runAsync(
        info.Env(), [program, request] { runProgramLive(*program, request); }, [](Napi::Env env) { return env.Undefined(); });
  });
}

void BpfProgram::pin(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const std::string path = stringArgument(info[0], "path");
    const auto& program = program_.require("pin a closed program");
    const int error = bpf_obj_pin(program->number(), path.c_str());
    if (error < 0) fail(-error, "pin program " + program->name + " at " + path);
  });
}

void BpfProgram::close(const Napi::CallbackInfo&) { program_.close(); }

}  // namespace xmcast
