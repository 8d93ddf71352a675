/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The forwarder for what XDP cannot take: devices without native XDP, frames too large to be cloned there, checksums that a local
 * sender left unfinished, packets that the kernel has not cut yet (GSO), and what the machine's own applications want as well.
 * Same maps, same counters; each copy is a clone whose fate the kernel tells at once. Between XDP and the host's stack: never
 * sees what XDP has redirected or dropped.
 */
#ifndef XMCAST_TC_H
#define XMCAST_TC_H

#include <linux/pkt_cls.h>

#include "abi.h"
#include "bpf_base.h"
#include "lookup.h"
#include "parse.h"
#include "punt.h"
#include "receive.h"
#include "rewrite.h"
#include "tc-copy.h"
#include "tc-vlan.h"
#include "vlan.h"
#include "xmit.h"

/* How a packet gets here. */
enum xm_origin {
	XM_RECEIVED,
	XM_RESENT, /* by the controller, that had been asked about it */
	XM_ORIGINATED, /* by the machine itself, as if it had come in by the interface it leaves by */
};

/* Other programs and filters of the device have their turn with what passes. */
static __always_inline int tc_verdict(int verdict)
{
	return verdict == XDP_PASS ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

/* Which is as many packets as will leave, each with headers of its own. */
static __always_inline void measure_uncut(const struct __sk_buff *skb, struct xm_packet *packet)
{
	__u32 headers = header_bytes(packet->ip) + (packet->ip->protocol == IPPROTO_UDP ? UDP_HEADER_BYTES : 0);
	__u32 size = skb->gso_size, payload = packet->bytes - headers;

	if (!size || packet->bytes <= headers)
		return;
	packet->packets = (payload + size - 1) / size;
	packet->bytes = payload + packet->packets * headers;
}

/* Whatever was known of the packet's bytes before is void. */
static __always_inline void view_readable(struct __sk_buff *skb, struct xm_packet *packet)
{
	packet->data = (void *)(long)skb->data;
	packet->end = (void *)(long)skb->data_end;
}

/* With at least so many bytes of it, or all there are, readable. */
static __always_inline enum xm_kind view_skb(struct __sk_buff *skb, struct xm_packet *packet, __u32 readable)
{
	enum xm_kind kind;

	packet->frame_bytes = skb->len;
	packet->packets = 1;
	packet->lifted_tag = lifted_tag(skb);
	packet->host_has_it = 0;
	if (readable > skb->len)
		readable = skb->len;
	view_readable(skb, packet);
	if (packet->data + readable > packet->end) {
		if (bpf_skb_pull_data(skb, readable))
			return XM_KIND_OTHER;
		view_readable(skb, packet);
	}
	kind = classify(packet, ETH_HLEN);
	if (kind == XM_KIND_OTHER)
		return kind;
	packet->bytes = bpf_ntohs(packet->ip->tot_len);
	measure_uncut(skb, packet);
	return kind;
}

/* What a hop changes. */
struct xm_tc_original {
	__u8 mac[6];
	__sum16 check;
	__u32 ttl;
	__u32 tag; /* as in struct xm_punt */
};

static __always_inline int pass_skb_hop(struct __sk_buff *skb, struct xm_tc_original *original)
{
	struct ethhdr *eth = writable_headers(skb);
	struct iphdr *ip;

	if (!eth)
		return -1;
	ip = (void *)(eth + 1);
	__builtin_memcpy(original->mac, eth->h_source, sizeof(original->mac));
	original->check = ip->check;
	original->ttl = ip->ttl;
	decrement_ttl(ip);
	/* Last: it voids what is known of the bytes. */
	return original->tag ? bpf_skb_vlan_pop(skb) : 0;
}

static __always_inline void restore(struct __sk_buff *skb, const struct xm_tc_original *original)
{
	struct ethhdr *eth = writable_headers(skb);
	struct iphdr *ip;

	if (!eth)
		return;
	ip = (void *)(eth + 1);
	set_source(eth, original->mac);
	ip->check = original->check;
	ip->ttl = original->ttl;
	if (original->tag)
		bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), original->tag & 0xffff);
}

static __always_inline void describe(const struct __sk_buff *skb, const struct xm_packet *packet, const struct xm_route *route,
				     struct xm_tc_packet *common)
{
	common->group = group_of(route->out);
	common->counter = counter_of(route->flow);
	common->packets = packet->packets;
	common->bytes = packet->bytes;
	common->ttl = packet->ip->ttl;
	common->piece_bytes = skb->gso_size ? skb->gso_size + header_bytes(packet->ip) + UDP_HEADER_BYTES : 0;
	common->is_trunk = has_flag(route->out, XM_ROUTE_TRUNK);
	common->priority = priority_of(packet->lifted_tag);
	/* The stack takes what bears an address of its own for forged. */
	common->members = has_flag(route->out, XM_ROUTE_LOCAL) && !packet->host_has_it ? route->out : 0;
	common->learnt_by = has_flag(route->out, XM_ROUTE_LEARN) ? iif_of(route->flow) : 0;
	common->source = packet->ip->saddr;
	common->destination = packet->ip->daddr;
}

/* `keep`: the packet goes its own way afterwards, as it came. */
static __always_inline int forward_skb(struct __sk_buff *skb, const struct xm_packet *packet, const struct xm_port *port,
				       const struct xm_route *route, struct xm_vport_counters *stats, int keep)
{
	__u32 copies = copies_of(route->out), group = group_of(route->out);
	int verdict = admit(packet, port, route, stats);
	struct xm_tc_original original;
	struct xm_tc_packet common;

	if (verdict != XDP_REDIRECT)
		return verdict;
	if (!copies)
		return keep ? XDP_PASS : drop(packet, stats, XM_DROP_NO_RECEIVERS);
	if (!bpf_map_lookup_elem(&xm_groups, &group))
		return drop(packet, stats, XM_DROP_NO_GROUP);
	describe(skb, packet, route, &common);
	original.tag = packet->lifted_tag;
	if (pass_skb_hop(skb, &original))
		return drop(packet, stats, XM_DROP_NO_METADATA);
	send_clones(skb, &common, copies);
	if (keep)
		restore(skb, &original);
	return XDP_DROP;
}

/* A later packet of the stream has gone already: better a stream that begins with that one than one out of order. */
static __always_inline int is_overtaken(const struct xm_route *route)
{
	/* By (*,G) others go too. */
	return !has_flag(route->out, XM_ROUTE_LEARN) && has_carried(counter_of(route->flow));
}

static __always_inline void count_arrival(const struct xm_packet *packet, struct xm_vport_counters *stats, enum xm_origin origin)
{
	if (origin == XM_RESENT)
		stats->resent_packets++;
	else if (origin == XM_ORIGINATED)
		stats->originated_packets += packet->packets;
	else
		count_received(packet, stats);
}

/* Nothing tells where it goes: the controller is asked, with as much of the packet as it can take. */
static __always_inline int ask(struct __sk_buff *skb, struct xm_packet *packet, __u32 vport, struct xm_vport_counters *stats)
{
	__u32 host_has_it = packet->host_has_it;

	if (view_skb(skb, packet, XM_PUNT_BYTES) != XM_KIND_DATA)
		return drop(packet, stats, XM_DROP_NO_ROUTE);
	packet->host_has_it = host_has_it;
	return no_route(packet, vport, stats);
}

/* XDP_PASS when the packet, which is then as it was, is for the machine itself too: as it is a member where the packet came in.
 */
static __always_inline int receive_skb_data(struct __sk_buff *skb, struct xm_packet *packet, const struct xm_port *port,
					    struct xm_vport_counters *stats, enum xm_origin origin)
{
	struct xm_route route __attribute__((aligned(8)));
	enum xm_drop_reason reason = check_header(packet, ETH_HLEN);
	int has_route, keep, verdict;

	/* XDP has counted what it left to the host for its options. */
	if (reason == XM_DROP_IP_OPTIONS && port->has_xdp && origin != XM_ORIGINATED)
		return XDP_PASS;
	count_arrival(packet, stats, origin);
	if (reason != XM_DROP_MAX)
		return refuse(packet, stats, reason);
	has_route = find_route(packet->ip, &route);
	if (origin == XM_RESENT && has_route && is_overtaken(&route))
		return drop(packet, stats, XM_DROP_NO_ROUTE);
	keep = origin == XM_ORIGINATED || xm_is_member(route.out, counter_of(route.flow), port->vport);
	if (is_question(has_route, &route, port->vport)) {
		packet->host_has_it = keep;
		verdict = ask(skb, packet, port->vport, stats);
	} else {
		packet->host_has_it = origin == XM_ORIGINATED;
		verdict = forward_skb(skb, packet, port, &route, stats, keep);
	}
	return keep ? XDP_PASS : verdict;
}

SEC("tc")
int xm_tc_ingress(struct __sk_buff *skb)
{
	struct xm_vport_counters *stats;
	struct xm_packet packet;
	struct xm_port *port;
	enum xm_kind kind;

	if (!is_wire_ipv4(skb) || skb->tc_index == XM_MARK_FORWARDED)
		return TC_ACT_UNSPEC;
	port = port_of_skb(skb);
	if (!port)
		return TC_ACT_UNSPEC;
	stats = vport_counters(port->vport);
	if (stats && is_stacked(skb)) {
		receive_stacked_skb(skb, port, stats);
		return TC_ACT_UNSPEC;
	}
	kind = view_skb(skb, &packet, ETH_HLEN + MAX_IP_HEADER_BYTES);
	if (!stats || kind == XM_KIND_OTHER)
		return TC_ACT_UNSPEC;
	if (kind == XM_KIND_DATA)
		return tc_verdict(receive_skb_data(skb, &packet, port, stats, XM_RECEIVED));
	if (port->has_xdp || view_skb(skb, &packet, XM_PUNT_BYTES) == XM_KIND_OTHER)
		return TC_ACT_UNSPEC;
	return tc_verdict(receive_signalling(&packet, port->vport, stats));
}

#endif
