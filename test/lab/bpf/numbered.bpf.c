// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * A numbered stream on live frames (BPF_PROG_RUN), and the far end that tells what of it arrived: how much, in which order, what
 * twice. Live frames come round again as their last user left them, so header and number are written anew each time.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Interface indexes of a fresh namespace are small. */
#define MAX_INTERFACES 256
#define MAX_VLANS 4096
#define TAGGED_HLEN (ETH_HLEN + 4)
/* Looks at the clock while a slow receiver takes its time: bounds the loop for the verifier, some 100 us. */
#define MAX_CLOCK_READS 4000

struct numbered_stream {
	struct iphdr header;
	__be32 tag; /* as in the frame; 0: none */
	__u64 next;
	__u8 addresses[2 * ETH_ALEN];
	__u32 to_stack; /* not 0: no XDP program receives it, the interface's stack does */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct numbered_stream);
} numbered_stream SEC(".maps");

/* Slot 0: the forwarder. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} numbered_forwarder SEC(".maps");

/*
 * By ifindex; what comes tagged by MAX_INTERFACES and its VLAN. An interface of the lab has one queue, so nobody else writes at
 * the same time.
 */
struct numbered_arrivals {
	__u64 packets;
	__u64 bytes; /* of whole frames */
	__u64 next; /* the number that should come now */
	__u64 missing; /* numbers that were passed over */
	__u64 behind; /* packets with a number that has been passed already: repeated, or out of order */
	__u64 strange; /* frames that are not of the stream, or with another TTL than one less */
	__u64 delay_ns; /* what this receiver takes its time for */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_INTERFACES + MAX_VLANS);
	__type(key, __u32);
	__type(value, struct numbered_arrivals);
} numbered_arrivals SEC(".maps");

static __always_inline void *number_of(struct iphdr *ip)
{
	return (void *)(ip + 1) + sizeof(struct udphdr);
}

static __always_inline int write_packet(struct xdp_md *ctx, struct numbered_stream *stream, const __u32 link_bytes)
{
	void *data = (void *)(long)ctx->data;
	struct iphdr *ip = data + link_bytes;

	if (number_of(ip) + sizeof(__u64) > (void *)(long)ctx->data_end)
		return -1;
	__builtin_memcpy(data, stream->addresses, sizeof(stream->addresses));
	if (link_bytes == TAGGED_HLEN)
		*(__be32 *)(data + sizeof(stream->addresses)) = stream->tag;
	((__be16 *)ip)[-1] = bpf_htons(ETH_P_IP);
	*ip = stream->header;
	__builtin_memcpy(number_of(ip), &stream->next, sizeof(__u64));
	stream->next++;
	return 0;
}

SEC("xdp")
int numbered_send(struct xdp_md *ctx)
{
	struct numbered_stream *stream;
	__u32 only = 0;

	stream = bpf_map_lookup_elem(&numbered_stream, &only);
	if (!stream)
		return XDP_ABORTED;
	if (stream->tag ? write_packet(ctx, stream, TAGGED_HLEN) : write_packet(ctx, stream, ETH_HLEN))
		return XDP_ABORTED;
	if (stream->to_stack)
		return XDP_PASS;
	bpf_tail_call(ctx, &numbered_forwarder, 0);
	return XDP_ABORTED;
}

static __always_inline void take_time(__u64 delay_ns)
{
	__u64 started = bpf_ktime_get_ns();
	int i;

#pragma clang loop unroll(disable)
	for (i = 0; i < MAX_CLOCK_READS; i++)
		if (bpf_ktime_get_ns() - started >= delay_ns)
			break;
}

static __always_inline void note_number(struct numbered_arrivals *arrivals, __u64 number)
{
	if (number < arrivals->next) {
		arrivals->behind++;
		return;
	}
	arrivals->missing += number - arrivals->next;
	arrivals->next = number + 1;
}

static __always_inline int receive(struct xdp_md *ctx, __u32 index, const __u32 link_bytes)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + link_bytes;
	struct numbered_arrivals *arrivals = bpf_map_lookup_elem(&numbered_arrivals, &index);
	struct numbered_stream *stream;
	__u32 only = 0;
	__u64 number;

	stream = bpf_map_lookup_elem(&numbered_stream, &only);
	if (!stream || !arrivals)
		return XDP_DROP;
	if (number_of(ip) + sizeof(number) > end || ((__be16 *)ip)[-1] != bpf_htons(ETH_P_IP) ||
	    ip->daddr != stream->header.daddr || ip->ttl + 1 != stream->header.ttl) {
		arrivals->strange++;
		return XDP_DROP;
	}
	__builtin_memcpy(&number, number_of(ip), sizeof(number));
	note_number(arrivals, number);
	arrivals->packets++;
	arrivals->bytes += end - data;
	if (arrivals->delay_ns)
		take_time(arrivals->delay_ns);
	return XDP_DROP;
}

SEC("xdp")
int numbered_receive(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	__be16 *type = data + 2 * ETH_ALEN;

	if ((void *)(type + 2) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	if (type[0] == bpf_htons(ETH_P_8021Q))
		return receive(ctx, MAX_INTERFACES + (bpf_ntohs(type[1]) & 0xfff), TAGGED_HLEN);
	return receive(ctx, ctx->ingress_ifindex < MAX_INTERFACES ? ctx->ingress_ifindex : 0, ETH_HLEN);
}
