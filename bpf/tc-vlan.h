/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * VLANs in tc, where the kernel keeps the outer tag beside the frame: it has been taken out of what was received, and comes into
 * what is sent when the driver wants it.
 */
#ifndef XMCAST_TC_VLAN_H
#define XMCAST_TC_VLAN_H

#include <linux/if_packet.h>

#include "abi.h"
#include "bpf_base.h"
#include "lookup.h"
#include "parse.h"
#include "receive.h"
#include "vlan.h"

/* As in struct xm_punt. */
static __always_inline __u32 lifted_tag(const struct __sk_buff *skb)
{
	return skb->vlan_present ? XM_PUNT_TAGGED | (skb->vlan_tci & 0xffff) : 0;
}

/* A provider's tag names no VLAN of ours. */
static __always_inline struct xm_port *port_of_skb(const struct __sk_buff *skb)
{
	int is_customer = skb->vlan_present && skb->vlan_proto == bpf_htons(ETH_P_8021Q);

	return port_of_vlan(skb->ifindex, is_customer ? vlan_of(skb->vlan_tci) : 0);
}

static __always_inline int is_stacked(const struct __sk_buff *skb)
{
	return skb->vlan_present && (is_tag(skb->protocol) || skb->vlan_proto != bpf_htons(ETH_P_8021Q));
}

/* The machine's own packets, which multicast loops back to it without an Ethernet header, are left to the host's stack. */
static __always_inline int is_wire_ipv4(const struct __sk_buff *skb)
{
	return (skb->protocol == bpf_htons(ETH_P_IP) || is_stacked(skb)) && skb->pkt_type != PACKET_LOOPBACK;
}

/* What XDP has not counted. */
static __always_inline void receive_stacked_skb(struct __sk_buff *skb, const struct xm_port *port,
						struct xm_vport_counters *stats)
{
	struct xm_packet packet = {.frame_bytes = skb->len, .packets = 1};
	enum xm_kind kind;

	if (port->has_xdp || bpf_skb_pull_data(skb, TAGGED_HLEN + IP_HEADER_BYTES))
		return;
	packet.data = (void *)(long)skb->data;
	packet.end = (void *)(long)skb->data_end;
	kind = is_tag(skb->protocol) ? classify(&packet, TAGGED_HLEN) : classify(&packet, ETH_HLEN);
	if (kind != XM_KIND_DATA)
		return;
	packet.bytes = bpf_ntohs(packet.ip->tot_len);
	refuse_stacked(&packet, stats);
}

/* From the frame to beside it, where the kernel has it in a packet that it has received. */
static __always_inline int lift_tag(struct __sk_buff *skb)
{
	void *frame = (void *)(long)skb->data;
	__u32 tci;

	if (skb->protocol != bpf_htons(ETH_P_8021Q))
		return 0;
	if (frame + TAGGED_HLEN > (void *)(long)skb->data_end)
		return -1;
	tci = bpf_ntohs(tag_of(frame)->tci);
	return bpf_skb_vlan_pop(skb) || bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), tci);
}

/* As bpf_clone_redirect() returns. */
static __always_inline long clone_tagged(struct __sk_buff *skb, __u32 ifindex, __u32 tci, __u64 flags)
{
	long error = bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), tci);

	if (error)
		return error;
	error = bpf_clone_redirect(skb, ifindex, flags);
	bpf_skb_vlan_pop(skb);
	return error;
}

#endif
