/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What a frame is, and whether its IPv4 header can be trusted. Reads only; counts nothing; returns verdicts. Every pointer handed
 * on has been compared with the end of the packet.
 */
#ifndef XMCAST_PARSE_H
#define XMCAST_PARSE_H

#include "abi.h"
#include "bpf_base.h"

#define IP_HEADER_BYTES 20
#define MAX_IP_HEADER_BYTES 60
#define MAX_OPTION_BYTES (MAX_IP_HEADER_BYTES - IP_HEADER_BYTES)
#define UDP_HEADER_BYTES 8

enum xm_kind {
	XM_KIND_OTHER, /* not ours: the host's stack sees it as before */
	XM_KIND_IGMP,
	XM_KIND_PIM,
	XM_KIND_DATA, /* IPv4 to a routable group */
};

struct xm_packet {
	void *data;
	void *end; /* of what can be read, which may be less than the frame */
	struct ethhdr *eth;
	struct iphdr *ip;
	__u32 frame_bytes;
	__u32 packets; /* 1, or as many as the kernel will make of it */
	__u32 bytes; /* of these, from their IP headers on */
	__u32 lifted_tag; /* as in struct xm_punt */
	__u32 host_has_it; /* as in struct xm_punt */
};

/* 224.0.0.0/24 never leaves its link (RFC 5771 section 4). */
static __always_inline int is_local_network_control(__u32 group)
{
	return group >> 8 == 0xe00000;
}

static __always_inline int is_multicast(__u32 address)
{
	return address >> 28 == 0xe;
}

/* Of a packet whose data and end are known, with so many bytes in front of its IP header. */
static __always_inline enum xm_kind classify(struct xm_packet *packet, const __u32 link_bytes)
{
	__u32 destination;

	packet->eth = packet->data;
	packet->ip = packet->data + link_bytes;
	if ((void *)(packet->ip + 1) > packet->end)
		return XM_KIND_OTHER;
	if (((__be16 *)packet->ip)[-1] != bpf_htons(ETH_P_IP))
		return XM_KIND_OTHER;
	/* RFC 3376 4.1.12: a query may come to any address of the interface, so IGMP is not asked for its destination. */
	if (packet->ip->protocol == IPPROTO_IGMP)
		return XM_KIND_IGMP;
	if (packet->ip->protocol == IPPROTO_PIM)
		return XM_KIND_PIM;
	destination = bpf_ntohl(packet->ip->daddr);
	if (!is_multicast(destination) || is_local_network_control(destination))
		return XM_KIND_OTHER;
	return XM_KIND_DATA;
}

static __always_inline __u32 header_bytes(const struct iphdr *ip)
{
	return (ip->ihl & 0xf) * 4;
}

/* By 32-bit words: the sum of 16-bit words is the same modulo 0xffff. */
static __always_inline __u64 header_sum(const struct iphdr *ip)
{
	const __u32 *word = (const __u32 *)ip;

	return (__u64)word[0] + word[1] + word[2] + word[3] + word[4];
}

static __always_inline int is_good_sum(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* RFC 1812 5.3.7 */
static __always_inline int is_martian(__u32 source)
{
	__u32 first = source >> 24;

	return first == 0 || first == 127 || first >= 224;
}

/* RFC 1112 6.4: 01:00:5e and the low 23 bits of the group. */
static __always_inline int mac_matches_group(const struct ethhdr *eth, __u32 group)
{
	const __be16 *mac = (const __be16 *)eth->h_dest;

	return mac[0] == bpf_htons(0x0100) && mac[1] == bpf_htons(0x5e00 | (group >> 16 & 0x7f)) &&
	       mac[2] == bpf_htons(group & 0xffff);
}

/* Types of options (RFC 791, RFC 2113). */
enum xm_ip_option {
	XM_OPTION_END = 0,
	XM_OPTION_NOTHING = 1,
	XM_OPTION_RECORD_ROUTE = 7,
	XM_OPTION_TIMESTAMP = 68,
	XM_OPTION_LOOSE_ROUTE = 131,
	XM_OPTION_STRICT_ROUTE = 137,
	XM_OPTION_ROUTER_ALERT = 148,
};

/* For a way, or for a record of it: what RFC 7126 4.3 to 4.5 and 4.7 advise against. */
static __always_inline int asks_routers(__u8 type)
{
	return type == XM_OPTION_LOOSE_ROUTE || type == XM_OPTION_STRICT_ROUTE || type == XM_OPTION_RECORD_ROUTE ||
	       type == XM_OPTION_TIMESTAMP;
}

/* What follows the first 20 bytes of a header; zeros, the end of the list, behind it. No pointers: see xm_check_options(). */
struct xm_options {
	__u32 bytes;
	__u32 next; /* where an option begins: 0 */
	union {
		__u32 words[MAX_OPTION_BYTES / 4];
		__u8 list[MAX_OPTION_BYTES];
	};
};

/* Of the one that begins at `at`; 0: it cannot be. */
static __always_inline __u32 option_bytes(const struct xm_options *options, __u32 at)
{
	__u8 type = options->list[at];
	__u32 length;

	if (type == XM_OPTION_NOTHING)
		return 1;
	if (at + 1 >= options->bytes || at + 1 >= MAX_OPTION_BYTES)
		return 0;
	length = options->list[at + 1];
	if (length < 2 || length > options->bytes - at || (type == XM_OPTION_ROUTER_ALERT && length < 4))
		return 0;
	return length;
}

/* A bit for each byte that is not zero. */
static __always_inline __u64 filled_bytes(const struct xm_options *options)
{
	__u64 filled = 0;
	__u32 i;

#pragma clang loop unroll(disable)
	for (i = 0; i < MAX_OPTION_BYTES; i++)
		filled |= (__u64)((options->list[i] + 0xffU) >> 8) << i;
	return filled;
}

/*
 * XM_DROP_MAX when the packet may go on. RFC 1812 5.3.13: what asks nothing of a router, or is not known to it, passes unchanged.
 * Global, so that it is verified once and not for each way that leads here; byte by byte, and with the place of the next option
 * in memory of the caller, because the verifier would follow every value that it could have.
 */
__noinline int xm_check_options(struct xm_options *options)
{
	__u64 filled;
	__u32 length, i;

	if (!options)
		return XM_DROP_IP_OPTIONS;
	filled = filled_bytes(options);
#pragma clang loop unroll(disable)
	for (i = 0; i < MAX_OPTION_BYTES; i++) {
		if (i >= options->bytes)
			break;
		if (i < options->next)
			continue;
		/* What stands behind the end of the list is nobody's, and is not carried on. */
		if (options->list[i] == XM_OPTION_END)
			return filled >> i ? XM_DROP_IP_OPTIONS : XM_DROP_MAX;
		if (asks_routers(options->list[i]))
			return XM_DROP_IP_OPTIONS;
		length = option_bytes(options, i);
		if (!length)
			return XM_DROP_BAD_IP_HEADER;
		options->next = i + length;
	}
	return XM_DROP_MAX;
}

/* Off the way of packets without options. */
static __noinline int check_options(const struct xm_packet *packet)
{
	/*
	 * Nothing is added to a header of version 4. The verifier, who does not know that, would else remember for each length of
	 * the header how much of the packet is there, and follow each on its own to the end of the program.
	 */
	const __u32 *word = (void *)(packet->ip + 1) + (packet->ip->version & 8);
	struct xm_options options = {.bytes = header_bytes(packet->ip) - IP_HEADER_BYTES};
	__u64 sum = header_sum(packet->ip);
	__u32 i, reason;

#pragma clang loop unroll(disable)
	for (i = 0; i < MAX_OPTION_BYTES / 4; i++) {
		if (4 * i >= options.bytes)
			break;
		/* Not to be read here: the host's stack may. */
		if ((void *)(word + i + 1) > packet->end)
			return XM_DROP_IP_OPTIONS;
		options.words[i] = word[i];
		sum += word[i];
	}
	if (!is_good_sum(sum))
		return XM_DROP_BAD_CHECKSUM;
	reason = xm_check_options(&options);
	/* The verifier does not know what the global one may return. */
	return reason < XM_DROP_MAX ? reason : XM_DROP_MAX;
}

/* XM_DROP_MAX when the header is good. */
static __always_inline enum xm_drop_reason check_header(const struct xm_packet *packet, const __u32 link_bytes)
{
	const struct iphdr *ip = packet->ip;
	__u32 total = bpf_ntohs(ip->tot_len);
	enum xm_drop_reason reason;

	if (ip->version != 4 || ip->ihl < 5 || total < ip->ihl * 4U)
		return XM_DROP_BAD_IP_HEADER;
	if (packet->frame_bytes - link_bytes < total)
		return XM_DROP_TRUNCATED;
	if (ip->ihl > 5) {
		reason = check_options(packet);
		if (reason != XM_DROP_MAX)
			return reason;
	} else if (!is_good_sum(header_sum(ip))) {
		return XM_DROP_BAD_CHECKSUM;
	}
	if (is_martian(bpf_ntohl(ip->saddr)))
		return XM_DROP_MARTIAN_SOURCE;
	if (!mac_matches_group(packet->eth, bpf_ntohl(ip->daddr)))
		return XM_DROP_MAC_MISMATCH;
	return XM_DROP_MAX;
}

#endif
