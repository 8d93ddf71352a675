/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What becomes of a packet before the first copy of it is made, whichever kind of program has it: checked against its route,
 * counted, announced. Verdicts are those of XDP: XDP_PASS leaves it to the host's stack, XDP_REDIRECT lets it go on. Never
 * touches a byte of the packet.
 */
#ifndef XMCAST_RECEIVE_H
#define XMCAST_RECEIVE_H

#include "abi.h"
#include "bpf_base.h"
#include "lookup.h"
#include "parse.h"
#include "punt.h"

#define IGMP_MEMBERSHIP_QUERY 0x11

static __always_inline void count_received(const struct xm_packet *packet, struct xm_vport_counters *stats)
{
	stats->rx_packets += packet->packets;
	stats->rx_bytes += packet->bytes;
}

static __always_inline int drop(const struct xm_packet *packet, struct xm_vport_counters *stats, enum xm_drop_reason reason)
{
	stats->drops[reason] += packet->packets;
	return XDP_DROP;
}

/* For what check_header() has found. */
static __always_inline int refuse(const struct xm_packet *packet, struct xm_vport_counters *stats, enum xm_drop_reason reason)
{
	drop(packet, stats, reason);
	return reason == XM_DROP_IP_OPTIONS ? XDP_PASS : XDP_DROP;
}

/* The host's stack may know what to do with several tags; here a frame has one. */
static __always_inline int refuse_stacked(const struct xm_packet *packet, struct xm_vport_counters *stats)
{
	count_received(packet, stats);
	drop(packet, stats, XM_DROP_STACKED_TAG);
	return XDP_PASS;
}

static __always_inline enum xm_punt_class igmp_class(const struct xm_packet *packet)
{
	__u8 *type = (__u8 *)packet->ip + header_bytes(packet->ip);

	if ((void *)(type + 1) > packet->end)
		return XM_PUNT_IGMP_REPORT;
	return *type == IGMP_MEMBERSHIP_QUERY ? XM_PUNT_IGMP_QUERY : XM_PUNT_IGMP_REPORT;
}

/* IGMP and PIM. The host's stack gets it too: it may be a member itself. */
static __noinline int receive_signalling(const struct xm_packet *packet, __u32 vport, struct xm_vport_counters *stats)
{
	enum xm_punt_class class = packet->ip->protocol == IPPROTO_PIM ? XM_PUNT_PIM : igmp_class(packet);

	punt(packet, vport, class, stats, 1);
	return XDP_PASS;
}

/* What is off the way of a packet that is forwarded is a function of its own, to keep that way short. */
static __noinline int no_route(const struct xm_packet *packet, __u32 vport, struct xm_vport_counters *stats)
{
	int fresh;
	struct xm_recent *recent = recent_flow(packet, vport, XM_PUNT_NO_ROUTE, xm_recent_interval_ns, &fresh);
	__u32 lost = packet->packets;

	/* Not lost yet: the controller may send it on. */
	if (fresh && punt(packet, vport, XM_PUNT_NO_ROUTE, stats, 1)) {
		if (recent)
			recent->packets = 0;
		lost--;
	}
	/* What is lost behind it: sent on, it would stand before a hole. */
	if (recent)
		__sync_fetch_and_add(&recent->packets, lost);
	stats->drops[XM_DROP_NO_ROUTE] += lost;
	return XDP_DROP;
}

static __noinline int wrong_interface(const struct xm_packet *packet, __u32 vport, struct xm_vport_counters *stats,
				      struct xm_route_counters *counters)
{
	int fresh;

	counters->wrong_interface += packet->packets;
	/* Once per route, by whichever interfaces its packets come. */
	recent_flow(packet, 0, XM_PUNT_WRONG_INTERFACE, xm_wrong_interval_ns, &fresh);
	if (fresh)
		punt(packet, vport, XM_PUNT_WRONG_INTERFACE, stats, 0);
	return drop(packet, stats, XM_DROP_WRONG_INTERFACE);
}

/* Counted by source as well, so that nothing is missing from the flow once its (S,G) route is there. */
static __noinline void announce_source(const struct xm_packet *packet, __u32 vport, struct xm_vport_counters *stats, __u32 copies)
{
	int fresh;
	struct xm_recent *recent = recent_flow(packet, vport, XM_PUNT_NEW_SOURCE, xm_recent_interval_ns, &fresh);

	if (recent) {
		__sync_fetch_and_add(&recent->packets, packet->packets);
		__sync_fetch_and_add(&recent->bytes, packet->bytes);
		__sync_fetch_and_add(&recent->expected, packet->packets * copies);
	}
	if (fresh)
		punt(packet, vport, XM_PUNT_NEW_SOURCE, stats, 0);
}

/* Off the way of a packet that is forwarded, as few routes have a threshold of their own. */
static __noinline int is_above_threshold(const struct iphdr *ip, __u32 counter)
{
	__u32 *threshold = bpf_map_lookup_elem(&xm_route_thresholds, &counter);

	return threshold && ip->ttl > *threshold;
}

static __noinline int ttl_drop(const struct xm_packet *packet, struct xm_vport_counters *stats, __u32 counter)
{
	struct xm_route_faults *faults = route_faults(counter);

	if (faults)
		__sync_fetch_and_add(&faults->ttl_drops, packet->packets);
	return drop(packet, stats, XM_DROP_TTL_IN);
}

/*
 * Nothing tells where the packet goes. A source that came in by another interface the (*,G) route cannot vouch for may still have
 * a good reverse path: the controller knows.
 */
static __always_inline int is_question(int has_route, const struct xm_route *route, __u32 vport)
{
	return !has_route || (iif_of(route->flow) != vport && has_flag(route->out, XM_ROUTE_LEARN));
}

/* XDP_REDIRECT when the packet, which is no question, may go on by its route. */
static __always_inline int admit(const struct xm_packet *packet, const struct xm_port *port, const struct xm_route *route,
				 struct xm_vport_counters *stats)
{
	__u32 flow = route->flow, out = route->out, vport = port->vport;
	struct xm_route_counters *counters = route_counters(counter_of(flow));

	if (!counters)
		return drop(packet, stats, XM_DROP_NO_GROUP);
	if (iif_of(flow) != vport)
		return wrong_interface(packet, vport, stats, counters);
	if (packet->ip->ttl < port->ttl_minimum)
		return ttl_drop(packet, stats, counter_of(flow));
	if (has_flag(out, XM_ROUTE_THRESHOLD) && !is_above_threshold(packet->ip, counter_of(flow)))
		return ttl_drop(packet, stats, counter_of(flow));
	stats->accepted_packets += packet->packets;
	counters->packets += packet->packets;
	counters->bytes += packet->bytes;
	counters->expected += packet->packets * copies_of(out);
	if (has_flag(out, XM_ROUTE_LEARN))
		announce_source(packet, vport, stats, copies_of(out));
	return XDP_REDIRECT;
}

#endif
