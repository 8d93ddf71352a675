#include "datagram-receiver.h"

#include <utility>

#include "callback.h"

namespace xmcast {
namespace {

// A flood on one socket must not keep the others, and JavaScript's timers, waiting.
constexpr int DATAGRAMS_PER_WAKEUP = 64;
// Above the largest netlink skb (64 KiB) and the largest segmentation-offloaded frame of IPv4 (64 KiB with its headers).
constexpr size_t BUFFER_BYTES = 128 * 1024;
constexpr size_t CONTROL_BYTES = 512;

}  // namespace

DatagramReceiver::DatagramReceiver(Napi::Env env, std::shared_ptr<FileDescriptor> fd, const std::string& name,
                                   Listeners listeners)
    : env_(env),
      fd_(std::move(fd)),
      operation_("receive from " + name),
      toArguments_(std::move(listeners.toArguments)),
      onDatagram_(Napi::Persistent(listeners.onDatagram)),
      context_(env, "xmcast:DatagramReceiver"),
      buffer_(new uint8_t[Datagram::HEADROOM + BUFFER_BYTES]) {
  if (!listeners.onError.IsEmpty()) onError_ = Napi::Persistent(listeners.onError);
}

std::shared_ptr<DatagramReceiver> DatagramReceiver::start(Napi::Env env, std::shared_ptr<FileDescriptor> fd,
                                                          const std::string& name, Listeners listeners) {
  const std::shared_ptr<DatagramReceiver> receiver(new DatagramReceiver(env, fd, name, std::move(listeners)));
  // The watcher keeps the receiver alive, and so the callbacks, until close(): also when JavaScript has let go of the socket.
  receiver->watcher_ = PollWatcher::start(env, std::move(fd), [receiver] { receiver->drain(); });
  return receiver;
}

void DatagramReceiver::close() {
  closed_ = true;
  if (watcher_) watcher_->close();
  watcher_.reset();
  fd_.reset();
}

void DatagramReceiver::drain() {
  for (int i = 0; i < DATAGRAMS_PER_WAKEUP && !closed_; i++) {
    if (!receiveOne()) return;
  }
}

bool DatagramReceiver::receiveOne() {
  sockaddr_storage sender{};
  alignas(cmsghdr) char control[CONTROL_BYTES];
  iovec space{buffer_.get() + Datagram::HEADROOM, BUFFER_BYTES};
  msghdr header{};
  header.msg_name = &sender;
  header.msg_namelen = sizeof(sender);
  header.msg_iov = &space;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  const ssize_t received = recvmsg(fd_->number(), &header, MSG_DONTWAIT);
  if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
  if (received < 0) {
    if (errno != EINTR) emitError(errno);
    return true;
  }
  if ((header.msg_flags & MSG_TRUNC) != 0) {
    emitError(EMSGSIZE);
    return true;
  }
  Datagram datagram{buffer_.get() + Datagram::HEADROOM, static_cast<size_t>(received), header};
  emitDatagram(datagram);
  return true;
}

void DatagramReceiver::emitDatagram(Datagram& datagram) {
  Napi::HandleScope scope(env_);
  reportThrown(env_, [&] {
    const std::vector<napi_value> arguments = toArguments_(env_, datagram);
    if (!arguments.empty()) call(onDatagram_, arguments);
  });
}

void DatagramReceiver::emitError(int number) {
  if (onError_.IsEmpty()) return;
  Napi::HandleScope scope(env_);
  reportThrown(env_, [&] { call(onError_, {toError(env_, SystemFailure(number, operation_)).Value()}); });
}

// MakeCallback and not Call: promises that the listener settles go on before the next datagram.
void DatagramReceiver::call(const Napi::FunctionReference& listener, const std::vector<napi_value>& arguments) {
  listener.MakeCallback(env_.Global(), arguments, context_);
}

}  // namespace xmcast
