// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * The forwarder.
 *
 *   xm_ingress, on every port: classify -> check -> route -> count -> TTL, checksum -> metadata -> broadcast into the route's
 *   replication group
 *   xm_egress, once per copy on its way out: TTL threshold, MTU, source MAC, count
 *
 * Creates no route and no state a stranger could fill. What is not IPv4 multicast data passes to the host's stack untouched.
 */
#include "abi.h"
#include "bpf_base.h"
#include "lookup.h"
#include "maps.h"
#include "parse.h"
#include "punt.h"
#include "xmit.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Types that exist only in memory the controller writes or reads, kept in the BTF. */
const struct xm_punt *const xm_abi_punt;
const struct xm_meta *const xm_abi_meta;
const enum xm_abi xm_abi_version = XM_ABI_VERSION;
const enum xm_limits *const xm_abi_limits;
const enum xm_drop_reason *const xm_abi_drop_reason;
const enum xm_punt_class *const xm_abi_punt_class;
const enum xm_route_flag *const xm_abi_route_flag;
const enum xm_route_iif *const xm_abi_route_iif;
const enum xm_route_bits *const xm_abi_route_bits;
const enum xm_route_index *const xm_abi_route_index;
const struct xm_route_faults *const xm_abi_route_faults;

#define IGMP_MEMBERSHIP_QUERY 0x11

static __always_inline int drop(struct xm_vport_counters *stats, enum xm_drop_reason reason)
{
	stats->drops[reason]++;
	return XDP_DROP;
}

static __always_inline enum xm_punt_class igmp_class(const struct xm_packet *packet)
{
	__u8 *type = (__u8 *)packet->ip + (packet->ip->ihl & 0xf) * 4;

	if ((void *)(type + 1) > packet->end)
		return XM_PUNT_IGMP_REPORT;
	return *type == IGMP_MEMBERSHIP_QUERY ? XM_PUNT_IGMP_QUERY : XM_PUNT_IGMP_REPORT;
}

/* The host's stack gets it too: it may be a member itself. */
static __noinline int receive_igmp(const struct xm_packet *packet, __u32 vport, struct xm_vport_counters *stats)
{
	punt(packet, vport, igmp_class(packet), stats, 1);
	return XDP_PASS;
}

/* What is off the way of a packet that is forwarded is a function of its own, to keep that way short. */
static __noinline int no_route(const struct xm_packet *packet, __u32 vport, struct xm_vport_counters *stats)
{
	int fresh;
	struct xm_recent *recent = recent_flow(packet, vport, XM_PUNT_NO_ROUTE, xm_recent_interval_ns, &fresh);

	/* Not lost yet: the controller may send it on. */
	if (fresh && punt(packet, vport, XM_PUNT_NO_ROUTE, stats, 1)) {
		if (recent)
			recent->packets = 0;
		return XDP_DROP;
	}
	/* What is lost behind it: sent on, it would stand before a hole. */
	if (recent)
		__sync_fetch_and_add(&recent->packets, 1);
	return drop(stats, XM_DROP_NO_ROUTE);
}

static __noinline int wrong_interface(const struct xm_packet *packet, __u32 vport, struct xm_vport_counters *stats,
				      struct xm_route_counters *counters)
{
	int fresh;

	counters->wrong_interface++;
	/* Once per route, by whichever interfaces its packets come. */
	recent_flow(packet, 0, XM_PUNT_WRONG_INTERFACE, xm_wrong_interval_ns, &fresh);
	if (fresh)
		punt(packet, vport, XM_PUNT_WRONG_INTERFACE, stats, 0);
	return drop(stats, XM_DROP_WRONG_INTERFACE);
}

/* Counted by source as well, so that nothing is missing from the flow once its (S,G) route is there. */
static __noinline void announce_source(const struct xm_packet *packet, __u32 vport, struct xm_vport_counters *stats, __u32 copies)
{
	__u32 bytes = bpf_ntohs(packet->ip->tot_len);
	int fresh;
	struct xm_recent *recent = recent_flow(packet, vport, XM_PUNT_NEW_SOURCE, xm_recent_interval_ns, &fresh);

	if (recent) {
		__sync_fetch_and_add(&recent->packets, 1);
		__sync_fetch_and_add(&recent->bytes, bytes);
		__sync_fetch_and_add(&recent->expected, copies);
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

static __noinline int ttl_drop(struct xm_vport_counters *stats, __u32 counter)
{
	struct xm_route_faults *faults = route_faults(counter);

	if (faults)
		__sync_fetch_and_add(&faults->ttl_drops, 1);
	return drop(stats, XM_DROP_TTL_IN);
}

static __always_inline int write_metadata(struct xdp_md *ctx, const struct xm_meta *values)
{
	struct xm_meta *meta;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return -1;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return -1;
	*meta = *values;
	return 0;
}

/* Once for all copies. RFC 1624: the TTL is the high byte of its word, so one less there is 0x0100 more in the checksum. */
static __always_inline int decrement_ttl(struct xdp_md *ctx)
{
	struct iphdr *ip = (void *)(long)ctx->data + sizeof(struct ethhdr);
	__u32 check;

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return -1;
	check = ip->check + bpf_htons(0x0100);
	ip->check = check + (check >= 0xffff);
	ip->ttl--;
	return 0;
}

static __always_inline int replicate(struct xdp_md *ctx, __u32 out, const struct xm_meta *meta, __u32 vport,
				     struct xm_vport_counters *stats)
{
	__u32 slot = group_of(out), copies = copies_of(out);
	struct xm_cpu *cpu = this_cpu();
	void *group;

	if (!copies)
		return drop(stats, XM_DROP_NO_RECEIVERS);
	group = bpf_map_lookup_elem(&xm_groups, &slot);
	if (!group)
		return drop(stats, XM_DROP_NO_GROUP);
	if (write_metadata(ctx, meta) || decrement_ttl(ctx))
		return drop(stats, XM_DROP_NO_METADATA);
	cpu->inflight_counter = counter_of(meta->flow);
	cpu->inflight_vport = vport;
	/* One copy needs no broadcast. Should its slot be empty, nothing leaves, as with a broadcast. */
	if (copies == 1)
		return bpf_redirect_map(group, 0, XDP_DROP);
	return bpf_redirect_map(group, 0, BPF_F_BROADCAST);
}

static __always_inline int forward(struct xdp_md *ctx, const struct xm_packet *packet, const struct xm_port *port,
				   struct xm_vport_counters *stats)
{
	__u32 vport = port->vport, bytes = bpf_ntohs(packet->ip->tot_len), flow, out;
	struct xm_route route __attribute__((aligned(8)));
	struct xm_route_counters *counters;
	struct xm_meta meta;

	if (!find_route(packet->ip, &route))
		return no_route(packet, vport, stats);
	flow = route.flow;
	out = route.out;
	/* A source the (*,G) route cannot vouch for may still have a good reverse path: the controller knows. */
	if (iif_of(flow) != vport && has_flag(out, XM_ROUTE_LEARN))
		return no_route(packet, vport, stats);
	counters = route_counters(counter_of(flow));
	if (!counters)
		return drop(stats, XM_DROP_NO_GROUP);
	if (iif_of(flow) != vport)
		return wrong_interface(packet, vport, stats, counters);
	if (packet->ip->ttl < port->ttl_minimum)
		return ttl_drop(stats, counter_of(flow));
	if (has_flag(out, XM_ROUTE_THRESHOLD) && !is_above_threshold(packet->ip, counter_of(flow)))
		return ttl_drop(stats, counter_of(flow));
	stats->accepted_packets++;
	counters->packets++;
	counters->bytes += bytes;
	counters->expected += copies_of(out);
	meta.flow = counter_of(flow);
	meta.bytes = bytes;
	meta.ttl = packet->ip->ttl;
	meta.pad = 0;
	if (has_flag(out, XM_ROUTE_LEARN)) {
		meta.flow = flow;
		announce_source(packet, vport, stats, copies_of(out));
	}
	return replicate(ctx, out, &meta, vport, stats);
}

/* IPv4 data to a routable group: every packet ends in exactly one counter. */
static __always_inline int receive_data(struct xdp_md *ctx, const struct xm_packet *packet, const struct xm_port *port,
					struct xm_vport_counters *stats)
{
	enum xm_drop_reason reason = check_header(packet);

	if (reason == XM_DROP_IP_OPTIONS) {
		stats->drops[XM_DROP_IP_OPTIONS]++;
		return XDP_PASS;
	}
	if (reason != XM_DROP_MAX)
		return drop(stats, reason);
	if (packet->end - packet->data > XM_MAX_BROADCAST_FRAME)
		return drop(stats, XM_DROP_TOO_BIG);
	return forward(ctx, packet, port, stats);
}

SEC("xdp")
int xm_ingress(struct xdp_md *ctx)
{
	struct xm_vport_counters *stats;
	struct xm_packet packet;
	enum xm_kind kind = classify(ctx, &packet);
	struct xm_port *port;

	if (kind == XM_KIND_OTHER)
		return XDP_PASS;
	port = port_of(ctx->ingress_ifindex);
	if (!port || !port->vport)
		return XDP_PASS;
	stats = vport_counters(port->vport);
	if (!stats)
		return XDP_PASS;
	if (kind == XM_KIND_IGMP)
		return receive_igmp(&packet, port->vport, stats);
	if (kind == XM_KIND_PIM) {
		punt(&packet, port->vport, XM_PUNT_PIM, stats, 1);
		return XDP_PASS;
	}
	stats->rx_packets++;
	stats->rx_bytes += bpf_ntohs(packet.ip->tot_len);
	return receive_data(ctx, &packet, port, stats);
}

/* A packet the controller was asked about, once more, now that it has a route. Run by the controller, attached nowhere. */
SEC("xdp")
int xm_resend(struct xdp_md *ctx)
{
	struct xm_vport_counters *stats;
	struct xm_packet packet;
	struct xm_port *port;

	if (classify(ctx, &packet) != XM_KIND_DATA)
		return XDP_DROP;
	port = port_of(ctx->ingress_ifindex);
	if (!port || !port->vport)
		return XDP_DROP;
	stats = vport_counters(port->vport);
	if (!stats)
		return XDP_DROP;
	stats->resent_packets++;
	return receive_data(ctx, &packet, port, stats);
}

static __noinline int drop_on(__u32 vport, enum xm_drop_reason reason)
{
	struct xm_vport_counters *stats = vport_counters(vport);

	if (stats && reason < XM_DROP_MAX)
		stats->drops[reason]++;
	return XDP_DROP;
}

/* A copy that goes no further than the egress program. */
static __noinline int drop_copy(const struct xm_meta *meta, const struct iphdr *ip, __u32 vport, enum xm_drop_reason reason)
{
	struct xm_route_counters *counters = route_counters(counter_of(meta->flow));
	struct xm_route_faults *faults = route_faults(counter_of(meta->flow));
	struct xm_recent *recent;

	if (counters)
		counters->dropped++;
	if (faults && reason == XM_DROP_TTL_OUT)
		__sync_fetch_and_add(&faults->ttl_drops, 1);
	if (iif_of(meta->flow)) {
		recent = recent_source(ip->saddr, ip->daddr, iif_of(meta->flow));
		if (recent)
			__sync_fetch_and_add(&recent->dropped, 1);
	}
	return drop_on(vport, reason);
}

/* By words: of bytes the compiler knows no alignment, and would move them one by one. */
static __always_inline void set_source(void *frame, const struct xm_vport *port)
{
	const void *mac = port->mac;
	void *source = frame + ETH_ALEN;

	*(__u32 *)source = *(const __u32 *)mac;
	*(__u16 *)(source + 4) = *(const __u16 *)(mac + 4);
}

static __always_inline int send_copy(const struct xm_meta *meta, struct ethhdr *eth, struct xm_cpu *cpu)
{
	struct iphdr *ip = (void *)(eth + 1);

	if (meta->ttl <= cpu->port.ttl_threshold)
		return drop_copy(meta, ip, cpu->vport, XM_DROP_TTL_OUT);
	if (meta->bytes > cpu->port.mtu)
		return drop_copy(meta, ip, cpu->vport, XM_DROP_TOO_BIG);
	set_source(eth, &cpu->port);
	note_copy(cpu, meta, ip);
	return XDP_PASS;
}

/* The first copy for a device since the driver was last called. 0 when the device is no port of ours. */
static __noinline int open_batch(struct xm_cpu *cpu, __u32 ifindex)
{
	struct xm_port *known = port_of(ifindex);
	__u32 vport = known ? known->vport : 0;
	struct xm_vport *port = bpf_map_lookup_elem(&xm_vports, &vport);

	cpu->ifindex = 0;
	cpu->count = 0;
	cpu->mixed = 0;
	if (!vport || !port)
		return 0;
	cpu->ifindex = ifindex;
	cpu->vport = vport;
	cpu->port = *port;
	return 1;
}

SEC("xdp/devmap")
int xm_egress(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct xm_meta *meta = (void *)(long)ctx->data_meta;
	struct xm_cpu *cpu = this_cpu();
	struct ethhdr *eth = data;

	if (cpu->ifindex != ctx->egress_ifindex || cpu->count >= XM_BATCH_SIZE) {
		if (!open_batch(cpu, ctx->egress_ifindex))
			return XDP_DROP;
	}
	if ((void *)(meta + 1) > data)
		return drop_on(cpu->vport, XM_DROP_NO_METADATA);
	if (data + sizeof(*eth) + IP_HEADER_BYTES > end)
		return drop_on(cpu->vport, XM_DROP_TRUNCATED);
	return send_copy(meta, eth, cpu);
}

SEC("tp_btf/xdp_devmap_xmit")
int BPF_PROG(xm_transmitted, const struct net_device *from, const struct net_device *to, int sent)
{
	struct xm_cpu *cpu = this_cpu();

	if (cpu->ifindex == (__u32)to->ifindex)
		settle_batch(cpu, sent);
	return 0;
}

SEC("tp_btf/xdp_redirect_err")
int BPF_PROG(xm_not_replicated, const struct net_device *from, const struct bpf_prog *program)
{
	note_redirect_error(program);
	return 0;
}
