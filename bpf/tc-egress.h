/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What the machine itself sends out by a port is a packet of that network like any other's: it is forwarded as if it had come in
 * there, and then leaves as it is. Sits behind the host's stack, where nothing passes that XDP forwards. Other people's packets
 * that the machine forwards, and the copies that are made here, pass unseen.
 */
#ifndef XMCAST_TC_EGRESS_H
#define XMCAST_TC_EGRESS_H

#include "abi.h"
#include "bpf_base.h"
#include "lookup.h"
#include "parse.h"
#include "receive.h"
#include "tc.h"

/* <bits/socket.h>, which is not for programs of the kernel. */
#define AF_PACKET 17

int xm_tc_originated(struct __sk_buff *skb);

/*
 * A program that writes to packets costs each packet that is shared, as all of TCP are, a copy of its headers. So the one that
 * does is called only for what may have to be forwarded.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} xm_originated SEC(".maps") = {
	.values = {(void *)&xm_tc_originated},
};

/*
 * By a socket of IP. Frames of packet sockets are not: they are the controller's, or of somebody who forges them. Nor are those
 * of stations behind the same port (macvlan, ipvlan), which have addresses of their own.
 */
static __always_inline int is_from_machine(const struct __sk_buff *skb, const struct xm_packet *packet, __u32 vport)
{
	const struct xm_vport *port = bpf_map_lookup_elem(&xm_vports, &vport);
	const struct bpf_sock *socket = skb->sk;

	return port && !(socket && socket->family == AF_PACKET) && has_source(packet->eth, port->mac);
}

/* The machine's own reports are seen nowhere else: they tell the controller that its applications have joined or left. */
static __always_inline void announce_report(struct xm_packet *packet, __u32 vport, struct xm_vport_counters *stats)
{
	packet->host_has_it = 1;
	if (igmp_class(packet) == XM_PUNT_IGMP_REPORT)
		punt(packet, vport, XM_PUNT_IGMP_REPORT, stats, 0);
}

SEC("tc")
int xm_tc_originated(struct __sk_buff *skb)
{
	struct xm_port *port = port_of_skb(skb);
	struct xm_vport_counters *stats;
	struct xm_packet packet;
	__u32 mark = skb->tc_index;
	enum xm_kind kind;

	/* A provider's VLAN is none of ours. */
	if (!port || is_stacked(skb))
		return TC_ACT_UNSPEC;
	kind = view_skb(skb, &packet, ETH_HLEN + MAX_IP_HEADER_BYTES);
	stats = vport_counters(port->vport);
	if (!stats || kind == XM_KIND_OTHER || !is_from_machine(skb, &packet, port->vport))
		return TC_ACT_UNSPEC;
	if (kind == XM_KIND_IGMP)
		announce_report(&packet, port->vport, stats);
	if (kind != XM_KIND_DATA)
		return TC_ACT_UNSPEC;
	skb->tc_index = XM_MARK_COPY;
	receive_skb_data(skb, &packet, port, stats, XM_ORIGINATED);
	skb->tc_index = mark;
	return TC_ACT_UNSPEC;
}

/* Reads only, and lets everything go on. What came in by an interface is not the machine's own. */
SEC("tc")
int xm_tc_egress(struct __sk_buff *skb)
{
	struct xm_packet packet;
	enum xm_kind kind;

	if (skb->ingress_ifindex || skb->tc_index == XM_MARK_COPY || !is_wire_ipv4(skb))
		return TC_ACT_UNSPEC;
	view_readable(skb, &packet);
	kind = classify(&packet, ETH_HLEN);
	if (kind == XM_KIND_DATA || kind == XM_KIND_IGMP)
		bpf_tail_call(skb, &xm_originated, 0);
	return TC_ACT_UNSPEC;
}

#endif
