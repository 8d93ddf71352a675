/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The packet that asked for a route, sent on by the controller when the route is there. Attached nowhere. */
#ifndef XMCAST_TC_RESEND_H
#define XMCAST_TC_RESEND_H

#include "abi.h"
#include "bpf_base.h"
#include "lookup.h"
#include "parse.h"
#include "tc.h"

/* Once more as it came in, past the programs here. */
static __always_inline void pass_up(struct __sk_buff *skb)
{
	skb->tc_index = XM_MARK_FORWARDED;
	bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS);
}

/*
 * A packet the controller was asked about, once more, now that it has a route. Run by the controller on the interface it came in
 * by, attached nowhere; so the machine's own applications get it through the stack's front door, unless it has a mark: then it is
 * their own, or they have got it.
 */
SEC("tc")
int xm_resend(struct __sk_buff *skb)
{
	struct xm_vport_counters *stats;
	struct xm_packet packet;
	struct xm_port *port;
	__u32 host_has_it = skb->mark;

	skb->mark = 0;
	if (lift_tag(skb))
		return TC_ACT_SHOT;
	port = port_of_skb(skb);
	if (!port || view_skb(skb, &packet, ETH_HLEN + MAX_IP_HEADER_BYTES) != XM_KIND_DATA)
		return TC_ACT_SHOT;
	stats = vport_counters(port->vport);
	if (stats && receive_skb_data(skb, &packet, port, stats, XM_RESENT) == XDP_PASS && !host_has_it)
		pass_up(skb);
	return TC_ACT_SHOT;
}

#endif
