// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/* The far end of every port: counts what arrives and drops it. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Interface indexes of a fresh namespace are small. */
#define MAX_INTERFACES 256

struct bench_count {
	__u64 packets;
	__u64 bytes;
};

/* By the receiver's ifindex; what does not fit counts at 0, where nothing is expected. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_INTERFACES);
	__type(key, __u32);
	__type(value, struct bench_count);
} bench_counts SEC(".maps");

SEC("xdp")
int bench_receive(struct xdp_md *ctx)
{
	__u32 index = ctx->ingress_ifindex < MAX_INTERFACES ? ctx->ingress_ifindex : 0;
	struct bench_count *count = bpf_map_lookup_elem(&bench_counts, &index);

	if (count) {
		count->packets++;
		count->bytes += ctx->data_end - ctx->data;
	}
	return XDP_DROP;
}
