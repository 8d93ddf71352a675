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

/* By 32-bit words: the sum of 16-bit words is the same modulo 0xffff. */
static __always_inline int header_checksum_is_good(const struct iphdr *ip)
{
	const __u32 *word = (const __u32 *)ip;
	__u64 sum = (__u64)word[0] + word[1] + word[2] + word[3] + word[4];

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

/* XM_DROP_MAX when the header is good. */
static __always_inline enum xm_drop_reason check_header(const struct xm_packet *packet, const __u32 link_bytes)
{
	const struct iphdr *ip = packet->ip;
	__u32 total = bpf_ntohs(ip->tot_len);

	if (ip->version != 4 || ip->ihl < 5 || total < ip->ihl * 4U)
		return XM_DROP_BAD_IP_HEADER;
	if (packet->frame_bytes - link_bytes < total)
		return XM_DROP_TRUNCATED;
	if (ip->ihl > 5)
		return XM_DROP_IP_OPTIONS;
	if (!header_checksum_is_good(ip))
		return XM_DROP_BAD_CHECKSUM;
	if (is_martian(bpf_ntohl(ip->saddr)))
		return XM_DROP_MARTIAN_SOURCE;
	if (!mac_matches_group(packet->eth, bpf_ntohl(ip->daddr)))
		return XM_DROP_MAC_MISMATCH;
	return XM_DROP_MAX;
}

#endif
