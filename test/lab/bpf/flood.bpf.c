// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * A fast numbered stream on live frames (BPF_PROG_RUN) that leaves a host by its interface, and the far end that tells what of it
 * arrived: how much, in which order, what twice. Live frames come round again as their last user left them, so headers and
 * number are written anew each time. What is not of the stream passes: the hosts stay hosts.
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

#define MAX_VLANS 4096
/* Ethernet and IP. */
#define HEADER_BYTES (sizeof(struct ethhdr) + sizeof(struct iphdr))

struct flood_state {
	__u8 headers[HEADER_BYTES];
	__u16 pad[3];
	__u64 next; /* the number sent, or that should come, next */
	__u64 packets;
	__u64 missing; /* numbers that were passed over */
	__u64 behind; /* packets with a number that has been passed already: repeated, or out of order */
};

/* By the VLAN it arrives in; 0: untagged, and what is sent. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_VLANS);
	__type(key, __u32);
	__type(value, struct flood_state);
} flood_states SEC(".maps");

static __always_inline struct flood_state *state_of(__u32 vlan)
{
	return bpf_map_lookup_elem(&flood_states, &vlan);
}

SEC("xdp")
int flood_send(struct xdp_md *ctx)
{
	struct flood_state *state = state_of(0);
	void *data, *end, *number;

	/* A change of the frame's bounds makes the kernel describe it anew: else it keeps the metadata of its last round. */
	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(__u32)))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	number = data + HEADER_BYTES + sizeof(struct udphdr);
	if (!state || number + sizeof(__u64) > end)
		return XDP_ABORTED;
	__builtin_memcpy(data, state->headers, HEADER_BYTES);
	__builtin_memcpy(number, &state->next, sizeof(__u64));
	state->next++;
	return bpf_redirect(flood_ifindex, 0);
}

SEC("xdp")
int flood_receive(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__be16 *type = data + 2 * ETH_ALEN;
	struct flood_state *state;
	struct iphdr *ip;
	__u32 vlan = 0;
	__u64 number;
	void *place;

	/* The type, or a tag and the type. */
	if ((void *)(type + 3) > end)
		return XDP_PASS;
	if (*type == bpf_htons(ETH_P_8021Q)) {
		vlan = bpf_ntohs(type[1]) & (MAX_VLANS - 1);
		type += 2;
	}
	ip = (void *)(type + 1);
	place = (void *)(ip + 1) + sizeof(struct udphdr);
	state = state_of(vlan);
	if (!state || place + sizeof(number) > end || *type != bpf_htons(ETH_P_IP) || ip->daddr != flood_group ||
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
