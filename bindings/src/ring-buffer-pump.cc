#include "ring-buffer-pump.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <system_error>
#include <utility>

#include "error.h"

namespace xmcast {
namespace {

// Producers may submit with BPF_RB_NO_WAKEUP: such records are found by looking, this often.
constexpr int POLL_TIMEOUT_MS = 100;

// Waking a thread costs a packet about as much as all that is done with it.
constexpr useconds_t GATHER_US = 50;

std::unique_ptr<FileDescriptor> makeEvent() {
  const int number = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (number < 0) fail(errno, "create an eventfd");
  return std::make_unique<FileDescriptor>(number);
}

// Signals are the JavaScript thread's business.
void blockSignals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

}  // namespace

RingBufferPump::RingBufferPump(std::shared_ptr<MapHandle> map, Limits limits)
    : map_(std::move(map)),
      limits_(limits),
      wake_(makeEvent()),
      ring_(nullptr, ring_buffer__free),
      batch_(std::make_unique<Batch>()) {
  const auto onRecord = [](void* self, void* data, size_t size) {
    return static_cast<RingBufferPump*>(self)->accept(data, size);
  };
  ring_.reset(ring_buffer__new(map_->number(), onRecord, this, nullptr));
  if (!ring_) fail(errno, "open ring buffer " + map_->name);
}

RingBufferPump::~RingBufferPump() { stop(); }

void RingBufferPump::start(std::function<bool(std::unique_ptr<Batch>)> deliver) {
  deliver_ = std::move(deliver);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    fail(error.code().value(), "start a thread for ring buffer " + map_->name);
  }
}

void RingBufferPump::stop() {
  if (!wake_) return;
  stopping_ = true;
  const uint64_t one = 1;
  // Cannot fail: the counter of an eventfd that is written once does not overflow.
  [[maybe_unused]] const ssize_t written = write(wake_->number(), &one, sizeof(one));
  if (thread_.joinable()) thread_.join();
  ring_.reset();
  map_.reset();
  wake_.reset();
}

void RingBufferPump::run() {
  blockSignals();
  pollfd watched[] = {{ring_buffer__epoll_fd(ring_.get()), POLLIN, 0}, {wake_->number(), POLLIN, 0}};
  while (!stopping_) {
    // An interrupted or timed-out wait looks at the ring all the same: that costs one read of shared memory.
    poll(watched, 2, POLL_TIMEOUT_MS);
    const int consumed = ring_buffer__consume(ring_.get());
    flush();
    // While this thread is known to come back the kernel wakes nobody: of a burst the rest comes in one piece.
    if (consumed > 0 && !stopping_) usleep(GATHER_US);
  }
}

// A negative return ends ring_buffer__consume: a busy producer must not hold up stop().
int RingBufferPump::accept(const void* data, size_t size) {
  if (stopping_) return -ECANCELED;
  if (pending_ >= limits_.maxPending) {
    dropped_++;
    return 0;
  }
  const auto* bytes = static_cast<const uint8_t*>(data);
  batch_->emplace_back(bytes, bytes + size);
  pending_++;
  if (batch_->size() >= limits_.maxBatch) flush();
  return 0;
}

void RingBufferPump::flush() {
  if (batch_->empty()) return;
  auto full = std::exchange(batch_, std::make_unique<Batch>());
  if (!deliver_(std::move(full))) stopping_ = true;
}

}  // namespace xmcast
