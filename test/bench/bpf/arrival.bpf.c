// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/* The far end of every port: counts what arrives, notes when the first frame came since it was last asked, and drops it. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Interface indexes of a fresh namespace are small. */
#define MAX_INTERFACES 2048

struct arrival {
	__u64 first_ns; /* CLOCK_MONOTONIC; 0: none yet */
	__u64 packets;
};

/* By the receiver's ifindex. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_INTERFACES);
	__type(key, __u32);
	__type(value, struct arrival);
} arrivals SEC(".maps");

SEC("xdp")
int note_arrival(struct xdp_md *ctx)
{
	__u32 index = ctx->ingress_ifindex;
	struct arrival *arrival = bpf_map_lookup_elem(&arrivals, &index);

	if (!arrival)
		return XDP_DROP;
	if (!arrival->first_ns)
		arrival->first_ns = bpf_ktime_get_ns();
	__sync_fetch_and_add(&arrival->packets, 1);
	return XDP_DROP;
}
