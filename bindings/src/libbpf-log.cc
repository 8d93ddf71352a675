#include "libbpf-log.h"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdio>
#include <vector>

namespace xmcast {
namespace {

// A verifier log may reach 16 MiB. Its end holds the reason of a refusal, so the beginning goes first.
constexpr size_t MAX_LOG_BYTES = 256 * 1024;

struct ThreadLog {
  int depth = 0;
  std::string text;
};

ThreadLog& threadLog() {
  thread_local ThreadLog log;
  return log;
}

std::string format(const char* pattern, va_list arguments) {
  va_list counting;
  va_copy(counting, arguments);
  const int length = std::vsnprintf(nullptr, 0, pattern, counting);
  va_end(counting);
  if (length <= 0) return {};
  std::vector<char> buffer(static_cast<size_t>(length) + 1);
  std::vsnprintf(buffer.data(), buffer.size(), pattern, arguments);
  return std::string(buffer.data(), static_cast<size_t>(length));
}

int keep(libbpf_print_level level, const char* pattern, va_list arguments) {
  ThreadLog& log = threadLog();
  if (log.depth == 0 || level == LIBBPF_DEBUG) return 0;
  log.text += format(pattern, arguments);
  if (log.text.size() > MAX_LOG_BYTES) log.text.erase(0, log.text.size() - MAX_LOG_BYTES);
  return 0;
}

}  // namespace

void installLibbpfLog() { libbpf_set_print(keep); }

LibbpfLogScope::LibbpfLogScope() {
  ThreadLog& log = threadLog();
  if (log.depth++ == 0) log.text.clear();
}

LibbpfLogScope::~LibbpfLogScope() { threadLog().depth--; }

std::string currentLibbpfLog() { return threadLog().text; }

}  // namespace xmcast
