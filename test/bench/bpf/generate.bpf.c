// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * The source of the load, run on live frames (BPF_PROG_RUN), and the contenders that need no more than a verdict. Live frames
 * come round again as the last user left them, so the IP header is written anew each time; then the contender of the moment takes
 * over.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct bench_stream {
	struct iphdr header; /* source and checksum zero */
	__u32 header_sum; /* of its words, in host order */
	__u32 first_source; /* host order */
	__u32 sources; /* how many there are */
	__u32 stride; /* from one packet's source to the next one's, below `sources` */
	__u32 at;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bench_stream);
} bench_streams SEC(".maps");

/* Slot 0: who gets the frame. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} bench_contender SEC(".maps");

static __always_inline __u32 next_source(struct bench_stream *stream)
{
	__u32 at = stream->at + stream->stride;

	if (at >= stream->sources)
		at -= stream->sources;
	stream->at = at;
	return stream->first_source + at;
}

static __always_inline __u16 checksum_with(__u32 sum, __u32 source)
{
	sum += (source >> 16) + (source & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return bpf_htons(~sum & 0xffff);
}

SEC("xdp")
int bench_generate(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct bench_stream *stream;
	__u32 zero = 0, source;

	stream = bpf_map_lookup_elem(&bench_streams, &zero);
	if (!stream || (void *)(ip + 1) > end)
		return XDP_ABORTED;
	source = next_source(stream);
	*ip = stream->header;
	ip->saddr = bpf_htonl(source);
	ip->check = checksum_with(stream->header_sum, source);
	bpf_tail_call(ctx, &bench_contender, 0);
	return XDP_ABORTED;
}

/* What a frame costs before any contender has touched it. */
SEC("xdp")
int bench_drop(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_DROP;
}

/* Into the stack of the host, where the kernel's own forwarder waits. */
SEC("xdp")
int bench_pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}
