// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * The limit of the design: a broadcast into a map with exactly the slots it needs, no lookup, no check, no egress program.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Size set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} bench_slots SEC(".maps");

SEC("xdp")
int bench_broadcast(struct xdp_md *ctx)
{
	(void)ctx;
	return bpf_redirect_map(&bench_slots, 0, BPF_F_BROADCAST);
}
