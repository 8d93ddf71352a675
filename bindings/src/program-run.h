// BPF_PROG_TEST_RUN: lays out packet and context for the kernel and takes the result apart. No JavaScript here.
#pragma once

#include <cstdint>
#include <vector>

#include "program.h"

namespace xmcast {

struct RunRequest {
  std::vector<uint8_t> data;
  // XDP only: in front of the packet.
  std::vector<uint8_t> dataMeta;
  uint32_t repeat = 1;
  // 0: the kernel's own choice (the loopback of this netns).
  uint32_t ingressIfindex = 0;
  // Not with XDP.
  uint32_t mark = 0;
  // 0: room for everything the program may add.
  uint32_t dataSizeOut = 0;
};

struct RunOutcome {
  uint32_t retval;
  // From the start of the packet, metadata left out.
  std::vector<uint8_t> dataOut;
  uint32_t durationNs;
};

struct LiveRunRequest {
  std::vector<uint8_t> data;
  uint32_t repeat;
  uint32_t ingressIfindex;
  // 0: the kernel's default of 64 frames.
  uint32_t batchSize;
};

RunOutcome runProgram(const ProgramHandle& program, const RunRequest& request);
void runProgramLive(const ProgramHandle& program, const LiveRunRequest& request);

}  // namespace xmcast
