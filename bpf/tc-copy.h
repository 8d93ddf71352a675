/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The copies of one packet in tc: each a clone of it, for one slot of its replication group, counted by what the kernel tells at
 * once. Decides what leaves by which port; not whether the packet may go on.
 */
#ifndef XMCAST_TC_COPY_H
#define XMCAST_TC_COPY_H

#include "abi.h"
#include "bpf_base.h"
#include "lookup.h"
#include "parse.h"
#include "rewrite.h"
#include "tc-vlan.h"
#include "vlan.h"
#include "xmit.h"

/* In skb->tc_index, which travels along to other network namespaces (veth): there a copy comes in, and is forwarded again. */
enum xm_tc_mark {
	XM_MARK_FORWARDED = 0x786d, /* on its way up to the machine's own applications */
	XM_MARK_COPY = 0x786e, /* of a packet of the machine itself, on its way out */
};

/* What all copies of a packet have in common. No pointers: the verifier knows nothing of them in xm_send_clone(). */
struct xm_tc_packet {
	__u32 group; /* index into xm_groups */
	__u32 counter;
	__u32 packets;
	__u32 bytes;
	__u32 ttl; /* as received */
	__u32 piece_bytes; /* of each packet the kernel will make of it (GSO), from its IP header on; 0: it is one already */
	__u32 is_trunk; /* its slots have ports of their own, see xm_slot_ports */
	__u32 priority; /* of the tag it came in with */
	__u32 members; /* of the machine itself, on some interface: as xm_route.out; else 0 */
	__u32 learnt_by; /* the incoming vport when the copies are also counted by source, else 0 */
	__be32 source;
	__be32 destination;
};

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

	if (!packet->piece_bytes)
		return packet->bytes > port->mtu;
	/* A VLAN may have a smaller MTU than its device. */
	if (packet->piece_bytes > port->mtu)
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
static __always_inline long clone_to(struct __sk_buff *skb, const struct xm_tc_packet *packet, const struct xm_vport *port,
				     __u64 flags)
{
	if (!port->vlan)
		return bpf_clone_redirect(skb, port->ifindex, flags);
	return clone_tagged(skb, port->ifindex, port->vlan | packet->priority << VLAN_ID_BITS, flags);
}

/* As if it had come in by that port, for those of the machine's applications that are members there. */
static __noinline void hand_up(struct __sk_buff *skb, const struct xm_tc_packet *packet, const struct xm_vport *port)
{
	__u32 mark = skb->tc_index;

	skb->tc_index = XM_MARK_FORWARDED;
	clone_to(skb, packet, port, BPF_F_INGRESS);
	skb->tc_index = mark;
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
	if (clone_to(skb, packet, port, 0))
		count_failed(packet, stats);
	else
		count_sent(packet, stats);
	if (packet->members && xm_is_member(packet->members, packet->counter, vport))
		hand_up(skb, packet, port);
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

#endif
