// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * A fast numbered stream on live frames (BPF_PROG_RUN) that leaves a host by its interface, and the far end that tells what of it
 * arrived: how much, in which order, what twice. Live frames come round again as their last user left them, so header and number
 * are written anew each time. What is not of the stream passes: the hosts stay hosts.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Of the stream; set at load. */
static volatile const __u32 flood_ifindex = 0;
static volatile const __be32 flood_group = 0;

struct flood_state {
	struct iphdr header;
	__u32 pad;
	__u64 next; /* the number sent, or that should come, next */
	__u64 packets;
	__u64 missing; /* numbers that were passed over */
	__u64 behind; /* packets with a number that has been passed already: repeated, or out of order */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flood_state);
} flood_states SEC(".maps");

static __always_inline struct flood_state *only_state(void)
{
	__u32 only = 0;

	return bpf_map_lookup_elem(&flood_states, &only);
}

SEC("xdp")
int flood_send(struct xdp_md *ctx)
{
	struct flood_state *state = only_state();
	void *data, *end, *number;
	struct iphdr *ip;

	/* A change of the frame's bounds makes the kernel describe it anew: else it keeps the metadata of its last round. */
	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(__u32)))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	ip = data + sizeof(struct ethhdr);
	number = (void *)(ip + 1) + sizeof(struct udphdr);
	if (!state || number + sizeof(__u64) > end)
		return XDP_ABORTED;
	*ip = state->header;
	__builtin_memcpy(number, &state->next, sizeof(__u64));
	state->next++;
	return bpf_redirect(flood_ifindex, 0);
}

SEC("xdp")
int flood_receive(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);
	void *place = (void *)(ip + 1) + sizeof(struct udphdr);
	struct flood_state *state = only_state();
	__u64 number;

	if (!state || place + sizeof(number) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->daddr != flood_group ||
	    ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	__builtin_memcpy(&number, place, sizeof(number));
	state->packets++;
	if (number < state->next) {
		state->behind++;
		return XDP_DROP;
	}
	state->missing += number - state->next;
	state->next = number + 1;
	return XDP_DROP;
}
