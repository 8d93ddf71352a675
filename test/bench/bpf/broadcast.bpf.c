// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * The limit of the design: a broadcast into a map with exactly the slots it needs, no lookup, no check, no egress program. And
 * the limit of a router, which must write something into each copy: the same with an egress program that does nothing.
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

/* Size set at load; slots with bench_egress. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct bpf_devmap_val));
} bench_egress_slots SEC(".maps");

SEC("xdp")
int bench_broadcast_egress(struct xdp_md *ctx)
{
	(void)ctx;
	return bpf_redirect_map(&bench_egress_slots, 0, BPF_F_BROADCAST);
}

SEC("xdp/devmap")
int bench_egress(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}
