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
#include "tc-vlan.h"
#include "vlan.h"
#include "xmit.h"

#define UDP_HEADER_BYTES 8

/* In skb->tc_index of a packet on its way to the machine's own applications that was forwarded before. */
#define FORWARDED_ALREADY 0x786d

/* What all copies of a packet have in common. No pointers: the verifier knows nothing of them in xm_send_clone(). */
struct xm_tc_packet {
	__u32 group; /* index into xm_groups */
	__u32 counter;
	__u32 packets;
	__u32 bytes;
	__u32 ttl; /* as received */
	__u32 is_uncut; /* GSO */
	__u32 is_trunk; /* its slots have ports of their own, see xm_slot_ports */
	__u32 priority; /* of the tag it came in with */
	__u32 learnt_by; /* the incoming vport when the copies are also counted by source, else 0 */
	__be32 source;
	__be32 destination;
};

/* Other programs and filters of the device have their turn with what passes. */
static __always_inline int tc_verdict(int verdict)
{
	return verdict == XDP_PASS ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

/* Which is as many packets as will leave, each with headers of its own. */
static __always_inline void measure_uncut(const struct __sk_buff *skb, struct xm_packet *packet)
{
	__u32 headers = IP_HEADER_BYTES + (packet->ip->protocol == IPPROTO_UDP ? UDP_HEADER_BYTES : 0);
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

static __always_inline struct xm_recent *source_of(const struct xm_tc_packet *packet)
{
	return packet->learnt_by ? recent_source(packet->source, packet->destination, packet->learnt_by) : NULL;
}

static __noinline int drop_clone(const struct xm_tc_packet *packet, struct xm_vport_counters *stats, enum xm_drop_reason reason)
{
	struct xm_route_counters *counters = route_counters(packet->counter);
	struct xm_route_faults *faults = route_faults(packet->counter);
	struct xm_recent *recent = source_of(packet);

	if (counters)
		counters->dropped += packet->packets;
	if (recent)
		__sync_fetch_and_add(&recent->dropped, packet->packets);
	if (faults && reason == XM_DROP_TTL_OUT)
		__sync_fetch_and_add(&faults->ttl_drops, packet->packets);
	if (reason < XM_DROP_MAX)
		stats->drops[reason] += packet->packets;
	return 0;
}

static __noinline void count_failed(const struct xm_tc_packet *packet, struct xm_vport_counters *stats)
{
	struct xm_route_counters *counters = route_counters(packet->counter);
	struct xm_recent *recent = source_of(packet);

	stats->drops[XM_DROP_XMIT] += packet->packets;
	if (counters)
		counters->failed += packet->packets;
	if (recent)
		__sync_fetch_and_add(&recent->failed, packet->packets);
}

static __always_inline void count_sent(const struct xm_tc_packet *packet, struct xm_vport_counters *stats)
{
	struct xm_route_counters *counters = route_counters(packet->counter);
	struct xm_recent *recent = source_of(packet);

	stats->tx_packets += packet->packets;
	stats->tx_bytes += packet->bytes;
	if (counters) {
		counters->sent += packet->packets;
		counters->sent_bytes += packet->bytes;
	}
	if (!recent)
		return;
	__sync_fetch_and_add(&recent->sent, packet->packets);
	__sync_fetch_and_add(&recent->sent_bytes, packet->bytes);
}

/* Of what is not cut yet each piece has to fit, which only the kernel can tell. */
static __always_inline int is_too_big(struct __sk_buff *skb, const struct xm_tc_packet *packet, const struct xm_vport *port)
{
	__u32 unused = 0;

	if (!packet->is_uncut)
		return packet->bytes > port->mtu;
	/* A VLAN may have a smaller MTU than its device. */
	if (packet->is_uncut + IP_HEADER_BYTES + UDP_HEADER_BYTES > port->mtu)
		return 1;
	return bpf_check_mtu(skb, port->ifindex, &unused, 0, BPF_MTU_CHK_SEGS) != BPF_MTU_CHK_RET_SUCCESS;
}

static __always_inline struct ethhdr *writable_headers(struct __sk_buff *skb)
{
	struct ethhdr *eth = (void *)(long)skb->data;

	return (void *)eth + sizeof(*eth) + IP_HEADER_BYTES > (void *)(long)skb->data_end ? NULL : eth;
}

static __always_inline struct bpf_devmap_val *device_in(__u32 group, __u32 slot)
{
	void *devices = bpf_map_lookup_elem(&xm_groups, &group);

	return devices ? bpf_map_lookup_elem(devices, &slot) : NULL;
}

/* 0: the slot is empty. */
static __always_inline __u32 port_of_slot(const struct xm_tc_packet *packet, __u32 slot)
{
	struct bpf_devmap_val *device = device_in(packet->group, slot);
	struct xm_port *known;

	if (!device)
		return 0;
	if (packet->is_trunk)
		return port_at(packet->group, 0, slot);
	known = port_of(device->ifindex);
	return known ? known->vport : 0;
}

/* As bpf_clone_redirect() returns. */
static __always_inline long clone_to(struct __sk_buff *skb, const struct xm_tc_packet *packet, const struct xm_vport *port)
{
	if (!port->vlan)
		return bpf_clone_redirect(skb, port->ifindex, 0);
	return clone_tagged(skb, port->ifindex, port->vlan | packet->priority << VLAN_ID_BITS);
}

/* For one slot of the group; one that is empty is passed over. Global, so that it is verified once and not for each slot. */
__noinline int xm_send_clone(struct __sk_buff *skb, const struct xm_tc_packet *packet, __u32 slot)
{
	__u32 vport = packet ? port_of_slot(packet, slot) : 0;
	struct xm_vport *port = bpf_map_lookup_elem(&xm_vports, &vport);
	struct xm_vport_counters *stats = vport_counters(vport);
	struct ethhdr *eth;

	if (!packet || !vport || !port || !stats)
		return 0;
	if (packet->ttl <= port->ttl_threshold)
		return drop_clone(packet, stats, XM_DROP_TTL_OUT);
	if (is_too_big(skb, packet, port))
		return drop_clone(packet, stats, XM_DROP_TOO_BIG);
	eth = writable_headers(skb);
	if (!eth)
		return 0;
	set_source(eth, port->mac);
	/* Negative: it did not get to the device. Positive, NET_XMIT_DROP or NET_XMIT_CN: its queue or its driver has dropped. */
	if (clone_to(skb, packet, port))
		count_failed(packet, stats);
	else
		count_sent(packet, stats);
	return 0;
}

static __always_inline void send_clones(struct __sk_buff *skb, const struct xm_tc_packet *packet, __u32 copies)
{
	__u32 slot;

#pragma clang loop unroll(disable)
	for (slot = 0; slot < XM_MAX_VPORTS; slot++) {
		if (slot >= copies)
			break;
		xm_send_clone(skb, packet, slot);
	}
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
	common->is_uncut = skb->gso_size;
	common->is_trunk = has_flag(route->out, XM_ROUTE_TRUNK);
	common->priority = priority_of(packet->lifted_tag);
	common->learnt_by = has_flag(route->out, XM_ROUTE_LEARN) ? iif_of(route->flow) : 0;
	common->source = packet->ip->saddr;
	common->destination = packet->ip->daddr;
}

/* XDP_PASS when the packet, which is again as it was, is for the machine itself too. */
static __always_inline int forward_skb(struct __sk_buff *skb, const struct xm_packet *packet, const struct xm_port *port,
				       const struct xm_route *route, struct xm_vport_counters *stats)
{
	int verdict = admit(packet, port, route, stats), is_local = has_flag(route->out, XM_ROUTE_LOCAL);
	__u32 copies = copies_of(route->out), group = group_of(route->out);
	struct xm_tc_original original;
	struct xm_tc_packet common;

	if (verdict != XDP_REDIRECT)
		return verdict;
	if (!copies)
		return is_local ? XDP_PASS : drop(packet, stats, XM_DROP_NO_RECEIVERS);
	if (!bpf_map_lookup_elem(&xm_groups, &group))
		return drop(packet, stats, XM_DROP_NO_GROUP);
	describe(skb, packet, route, &common);
	original.tag = packet->lifted_tag;
	if (pass_skb_hop(skb, &original))
		return drop(packet, stats, XM_DROP_NO_METADATA);
	send_clones(skb, &common, copies);
	if (!is_local)
		return XDP_DROP;
	restore(skb, &original);
	return XDP_PASS;
}

/* A later packet of the stream has gone already: better a stream that begins with that one than one out of order. */
static __always_inline int is_overtaken(const struct xm_route *route)
{
	/* By (*,G) others go too. */
	return !has_flag(route->out, XM_ROUTE_LEARN) && has_carried(counter_of(route->flow));
}

/* XDP has counted what it left to the host for its options. */
static __always_inline int receive_skb_data(struct __sk_buff *skb, struct xm_packet *packet, const struct xm_port *port,
					    struct xm_vport_counters *stats, int is_resent)
{
	struct xm_route route __attribute__((aligned(8)));
	enum xm_drop_reason reason = check_header(packet, ETH_HLEN);
	int has_route;

	if (reason == XM_DROP_IP_OPTIONS && port->has_xdp)
		return XDP_PASS;
	if (is_resent)
		stats->resent_packets++;
	else
		count_received(packet, stats);
	if (reason != XM_DROP_MAX)
		return refuse(packet, stats, reason);
	has_route = find_route(packet->ip, &route);
	if (is_resent && has_route && is_overtaken(&route))
		return drop(packet, stats, XM_DROP_NO_ROUTE);
	if (!is_question(has_route, &route, port->vport))
		return forward_skb(skb, packet, port, &route, stats);
	if (view_skb(skb, packet, XM_PUNT_BYTES) != XM_KIND_DATA)
		return drop(packet, stats, XM_DROP_NO_ROUTE);
	return no_route(packet, port->vport, stats);
}

SEC("tc")
int xm_tc_ingress(struct __sk_buff *skb)
{
	struct xm_vport_counters *stats;
	struct xm_packet packet;
	struct xm_port *port;
	enum xm_kind kind;

	if (!is_wire_ipv4(skb) || skb->tc_index == FORWARDED_ALREADY)
		return TC_ACT_UNSPEC;
	port = port_of_skb(skb);
	if (!port)
		return TC_ACT_UNSPEC;
	stats = vport_counters(port->vport);
	if (stats && is_stacked(skb)) {
		receive_stacked_skb(skb, port, stats);
		return TC_ACT_UNSPEC;
	}
	kind = view_skb(skb, &packet, ETH_HLEN + IP_HEADER_BYTES);
	if (!stats || kind == XM_KIND_OTHER)
		return TC_ACT_UNSPEC;
	if (kind == XM_KIND_DATA)
		return tc_verdict(receive_skb_data(skb, &packet, port, stats, 0));
	if (port->has_xdp || view_skb(skb, &packet, XM_PUNT_BYTES) == XM_KIND_OTHER)
		return TC_ACT_UNSPEC;
	return tc_verdict(receive_signalling(&packet, port->vport, stats));
}

/*
 * A packet the controller was asked about, once more, now that it has a route. Run by the controller on the interface it came in
 * by, attached nowhere; so the machine's own applications get it through the stack's front door.
 */
SEC("tc")
int xm_resend(struct __sk_buff *skb)
{
	struct xm_vport_counters *stats;
	struct xm_packet packet;
	struct xm_port *port;

	if (lift_tag(skb))
		return TC_ACT_SHOT;
	port = port_of_skb(skb);
	if (!port || view_skb(skb, &packet, ETH_HLEN + IP_HEADER_BYTES) != XM_KIND_DATA)
		return TC_ACT_SHOT;
	stats = vport_counters(port->vport);
	if (!stats)
		return TC_ACT_SHOT;
	if (receive_skb_data(skb, &packet, port, stats, 1) != XDP_PASS)
		return TC_ACT_SHOT;
	skb->tc_index = FORWARDED_ALREADY;
	bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS);
	return TC_ACT_UNSPEC;
}

#endif
