#include "async.h"

#include <optional>
#include <utility>

namespace xmcast {
namespace {

class PromiseWorker final : public Napi::AsyncWorker {
 public:
  PromiseWorker(Napi::Env env, std::function<void()> work, std::function<Napi::Value(Napi::Env)> finish)
      : Napi::AsyncWorker(env, "xmcast"),
        deferred_(Napi::Promise::Deferred::New(env)),
        work_(std::move(work)),
        finish_(std::move(finish)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 private:
  void Execute() override {
    LibbpfLogScope log;
    try {
      work_();
    } catch (const SystemFailure& failure) {
      failure_ = failure;
    } catch (const std::bad_alloc&) {
      failure_ = SystemFailure(ENOMEM, "allocate memory");
    }
  }

  void OnOK() override {
    if (failure_) {
      deferred_.Reject(toError(Env(), *failure_).Value());
      return;
    }
    try {
      deferred_.Resolve(finish_(Env()));
    } catch (const SystemFailure& failure) {
      deferred_.Reject(toError(Env(), failure).Value());
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    }
  }

  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

  Napi::Promise::Deferred deferred_;
  std::function<void()> work_;
  std::function<Napi::Value(Napi::Env)> finish_;
  std::optional<SystemFailure> failure_;
};

Napi::Promise rejected(Napi::Env env, const Napi::Error& error) {
  const Napi::Promise::Deferred deferred = Napi::Promise::Deferred::New(env);
  deferred.Reject(error.Value());
  return deferred.Promise();
}

}  // namespace

Napi::Promise runAsync(Napi::Env env, std::function<void()> work, std::function<Napi::Value(Napi::Env)> finish) {
  // Deletes itself when the promise is settled.
  auto* worker = new PromiseWorker(env, std::move(work), std::move(finish));
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

Napi::Value promised(Napi::Env env, const std::function<Napi::Value()>& body) {
  try {
    return guarded(env, body);
  } catch (const Napi::Error& error) {
    return rejected(env, error);
  }
}

}  // namespace xmcast
