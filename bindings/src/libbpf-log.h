// What libbpf says while a call runs on this thread. Owns the process-wide print callback; never writes to stderr.
#pragma once

#include <string>

namespace xmcast {

// Takes libbpf's output away from stderr, for the whole process. Safe to call more than once.
void installLibbpfLog();

// While one lives, libbpf's warnings on this thread are kept. Scopes nest: the outermost one starts with an empty text.
class LibbpfLogScope {
 public:
  LibbpfLogScope();
  ~LibbpfLogScope();
  LibbpfLogScope(const LibbpfLogScope&) = delete;
  LibbpfLogScope& operator=(const LibbpfLogScope&) = delete;
};

// The text kept so far on this thread.
std::string currentLibbpfLog();

}  // namespace xmcast
