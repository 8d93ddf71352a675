#include "program-run.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <climits>
#include <string>

#include "error.h"

namespace xmcast {
namespace {

// Headroom and tailroom of a page are all that bpf_xdp_adjust_head/_tail can give.
constexpr size_t GROWTH = 4096;

int repetitions(const ProgramHandle& program, uint32_t repeat) {
  if (repeat > INT_MAX) fail(EINVAL, "run program " + program.name + " " + std::to_string(repeat) + " times");
  return static_cast<int>(repeat);
}

// The kernel takes metadata and packet as one buffer; the context says where the packet begins.
xdp_md xdpContext(size_t metaSize, size_t packetSize, uint32_t ingressIfindex) {
  xdp_md context{};
  context.data = static_cast<uint32_t>(metaSize);
  context.data_end = static_cast<uint32_t>(metaSize + packetSize);
  context.ingress_ifindex = ingressIfindex;
  return context;
}

RunOutcome runXdp(const ProgramHandle& program, const RunRequest& request, bpf_test_run_opts& options) {
  const xdp_md in = xdpContext(request.dataMeta.size(), request.data.size(), request.ingressIfindex);
  xdp_md out{};
  options.ctx_in = &in;
  options.ctx_size_in = sizeof(in);
  options.ctx_out = &out;
  options.ctx_size_out = sizeof(out);
  const int error = bpf_prog_test_run_opts(program.number(), &options);
  if (error < 0) fail(-error, "run program " + program.name);
  // data_out begins with the metadata that the program left; out.data says how much that is.
  const auto* bytes = static_cast<const uint8_t*>(options.data_out);
  const uint32_t start = std::min(out.data, options.data_size_out);
  return {options.retval, std::vector<uint8_t>(bytes + start, bytes + options.data_size_out), options.duration};
}

RunOutcome runOther(const ProgramHandle& program, const RunRequest& request, bpf_test_run_opts& options) {
  if (!request.dataMeta.empty())
    fail(EINVAL, "run program " + program.name + " with XDP metadata though it is not an XDP program");
  __sk_buff in{};
  if (request.ingressIfindex != 0 || request.mark != 0) {
    in.ifindex = request.ingressIfindex;
    in.ingress_ifindex = request.ingressIfindex;
    in.mark = request.mark;
    options.ctx_in = &in;
    options.ctx_size_in = sizeof(in);
  }
  const int error = bpf_prog_test_run_opts(program.number(), &options);
  if (error < 0) fail(-error, "run program " + program.name);
  const auto* bytes = static_cast<const uint8_t*>(options.data_out);
  return {options.retval, std::vector<uint8_t>(bytes, bytes + options.data_size_out), options.duration};
}

}  // namespace

RunOutcome runProgram(const ProgramHandle& program, const RunRequest& request) {
  std::vector<uint8_t> in(request.dataMeta);
  in.insert(in.end(), request.data.begin(), request.data.end());
  std::vector<uint8_t> out(request.dataSizeOut != 0 ? request.dataSizeOut : in.size() + GROWTH);
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.data_in = in.data();
  options.data_size_in = static_cast<uint32_t>(in.size());
  options.data_out = out.data();
  options.data_size_out = static_cast<uint32_t>(out.size());
  options.repeat = repetitions(program, request.repeat);
  return program.type == BPF_PROG_TYPE_XDP ? runXdp(program, request, options) : runOther(program, request, options);
}

void runProgramLive(const ProgramHandle& program, const LiveRunRequest& request) {
  const xdp_md in = xdpContext(0, request.data.size(), request.ingressIfindex);
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.data_in = request.data.data();
  options.data_size_in = static_cast<uint32_t>(request.data.size());
  options.ctx_in = &in;
  options.ctx_size_in = sizeof(in);
  options.repeat = repetitions(program, request.repeat);
  options.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
  options.batch_size = request.batchSize;
  const int error = bpf_prog_test_run_opts(program.number(), &options);
  if (error < 0)
    fail(-error, "run program " + program.name + " on live frames of ifindex " + std::to_string(request.ingressIfindex));
}

}  // namespace xmcast
