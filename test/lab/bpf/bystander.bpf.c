// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/* Somebody else's programs at an interface: they look at nothing and let everything go on. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* <linux/bpf.h> has it from Linux 6.6 on: the next program decides. */
#define TCX_NEXT (-1)

SEC("xdp")
int bystander_xdp(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("tc")
int bystander_tc(struct __sk_buff *ctx)
{
	return TCX_NEXT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
