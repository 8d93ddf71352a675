// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * The forwarder.
 *
 *   xm_ingress, on every port: classify -> check -> route -> count -> metadata -> broadcast into the route's replication group
 *   xm_egress, once per copy on its way out: TTL, checksum, source MAC, count
 *
 * Creates no route and no state a stranger could fill. What is not IPv4 multicast data passes to the host's stack untouched.
 */
#include "abi.h"
#include "bpf_base.h"
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

#define IGMP_MEMBERSHIP_QUERY 0x11

static __always_inline __u32 vport_of(__u32 ifindex)
{
	struct xm_port_key key = {.ifindex = ifindex};
	__u32 *vport;

	if (ifindex < XM_FAST_PORTS)
		vport = bpf_map_lookup_elem(&xm_fast_ports, &ifindex);
	else
		vport = bpf_map_lookup_elem(&xm_ports, &key);
	return vport ? *vport : 0;
}

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
				      struct xm_route_counters *flow)
{
	int fresh;

	flow->wrong_interface++;
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

/* The longest group prefix, and in its set the longest source prefix. */
static __always_inline struct xm_route *find_prefix_route(const struct iphdr *ip)
{
	struct xm_group_prefix group = {.prefix_length = 32, .group = ip->daddr};
	__u32 *set = bpf_map_lookup_elem(&xm_group_prefixes, &group);
	struct xm_source_prefix source = {.prefix_length = 64, .source = ip->saddr};

	if (!set)
		return NULL;
	source.set = *set;
	return bpf_map_lookup_elem(&xm_source_prefixes, &source);
}

static __always_inline struct xm_route *find_route(const struct iphdr *ip)
{
	struct xm_route_key key = {.source = ip->saddr, .group = ip->daddr};
	struct xm_route *route = bpf_map_lookup_elem(&xm_routes, &key);

	if (route)
		return route;
	key.source = 0;
	route = bpf_map_lookup_elem(&xm_routes, &key);
	return route ? route : find_prefix_route(ip);
}

static __always_inline int write_metadata(struct xdp_md *ctx, const struct xm_route *route, __u32 vport)
{
	struct xm_meta *meta;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return -1;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return -1;
	meta->counter = route->counter;
	meta->iif = vport;
	meta->flags = route->flags;
	return 0;
}

static __always_inline int replicate(struct xdp_md *ctx, const struct xm_route *route, __u32 vport,
				     struct xm_vport_counters *stats)
{
	__u32 slot = route->group, only = 0;
	struct xm_inflight *inflight;
	void *group;

	if (!route->copies)
		return drop(stats, XM_DROP_NO_RECEIVERS);
	group = bpf_map_lookup_elem(&xm_groups, &slot);
	if (!group)
		return drop(stats, XM_DROP_NO_GROUP);
	if (write_metadata(ctx, route, vport))
		return drop(stats, XM_DROP_NO_METADATA);
	inflight = bpf_map_lookup_elem(&xm_inflights, &only);
	if (inflight) {
		inflight->counter = route->counter;
		inflight->vport = vport;
	}
	/* One copy needs no broadcast. Should its slot be empty, nothing leaves, as with a broadcast. */
	if (route->copies == 1)
		return bpf_redirect_map(group, 0, XDP_DROP);
	return bpf_redirect_map(group, 0, BPF_F_BROADCAST);
}

static __always_inline int ttl_is_enough(const struct iphdr *ip, __u32 vport, const struct xm_route *route)
{
	struct xm_vport *port = bpf_map_lookup_elem(&xm_vports, &vport);

	return port && ip->ttl > 1 && ip->ttl >= port->ttl_threshold && ip->ttl > route->ttl_threshold;
}

static __always_inline int forward(struct xdp_md *ctx, const struct xm_packet *packet, __u32 vport,
				   struct xm_vport_counters *stats)
{
	__u32 bytes = bpf_ntohs(packet->ip->tot_len), index;
	struct xm_route *route = find_route(packet->ip);
	struct xm_route_counters *flow;

	if (!route)
		return no_route(packet, vport, stats);
	/* A source the (*,G) route cannot vouch for may still have a good reverse path: the controller knows. */
	if (route->iif != vport && route->flags & XM_ROUTE_LEARN)
		return no_route(packet, vport, stats);
	index = route->counter;
	flow = bpf_map_lookup_elem(&xm_route_stats, &index);
	if (!flow)
		return drop(stats, XM_DROP_NO_GROUP);
	if (route->iif != vport)
		return wrong_interface(packet, vport, stats, flow);
	if (!ttl_is_enough(packet->ip, vport, route)) {
		flow->ttl_drops++;
		return drop(stats, XM_DROP_TTL_IN);
	}
	stats->accepted_packets++;
	flow->packets++;
	flow->bytes += bytes;
	flow->expected += route->copies;
	if (route->flags & XM_ROUTE_LEARN)
		announce_source(packet, vport, stats, route->copies);
	return replicate(ctx, route, vport, stats);
}

/* IPv4 data to a routable group: every packet ends in exactly one counter. */
static __always_inline int receive_data(struct xdp_md *ctx, const struct xm_packet *packet, __u32 vport,
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
	return forward(ctx, packet, vport, stats);
}

SEC("xdp")
int xm_ingress(struct xdp_md *ctx)
{
	struct xm_vport_counters *stats;
	struct xm_packet packet;
	enum xm_kind kind = classify(ctx, &packet);
	__u32 vport;

	if (kind == XM_KIND_OTHER)
		return XDP_PASS;
	vport = vport_of(ctx->ingress_ifindex);
	stats = bpf_map_lookup_elem(&xm_vport_stats, &vport);
	if (!vport || !stats)
		return XDP_PASS;
	if (kind == XM_KIND_IGMP)
		return receive_igmp(&packet, vport, stats);
	if (kind == XM_KIND_PIM) {
		punt(&packet, vport, XM_PUNT_PIM, stats, 1);
		return XDP_PASS;
	}
	stats->rx_packets++;
	stats->rx_bytes += bpf_ntohs(packet.ip->tot_len);
	return receive_data(ctx, &packet, vport, stats);
}

/* A packet the controller was asked about, once more, now that it has a route. Run by the controller, attached nowhere. */
SEC("xdp")
int xm_resend(struct xdp_md *ctx)
{
	struct xm_vport_counters *stats;
	struct xm_packet packet;
	__u32 vport;

	if (classify(ctx, &packet) != XM_KIND_DATA)
		return XDP_DROP;
	vport = vport_of(ctx->ingress_ifindex);
	stats = bpf_map_lookup_elem(&xm_vport_stats, &vport);
	if (!vport || !stats)
		return XDP_DROP;
	stats->resent_packets++;
	return receive_data(ctx, &packet, vport, stats);
}

/* RFC 1624: the TTL is the high byte of its word, so one less there is 0x0100 more in the checksum. */
static __always_inline void decrement_ttl(struct iphdr *ip)
{
	__u32 check = ip->check;

	check += bpf_htons(0x0100);
	ip->check = check + (check >= 0xffff);
	ip->ttl--;
}

static __noinline int drop_on(__u32 vport, enum xm_drop_reason reason)
{
	struct xm_vport_counters *stats = bpf_map_lookup_elem(&xm_vport_stats, &vport);

	if (stats && reason < XM_DROP_MAX)
		stats->drops[reason]++;
	return XDP_DROP;
}

/* A copy that goes no further than the egress program. */
static __noinline int drop_copy(const struct xm_meta *meta, const struct iphdr *ip, __u32 vport, enum xm_drop_reason reason)
{
	__u32 index = meta->counter;
	struct xm_route_counters *flow = bpf_map_lookup_elem(&xm_route_stats, &index);
	struct xm_recent *recent;

	if (flow) {
		flow->dropped++;
		if (reason == XM_DROP_TTL_OUT)
			flow->ttl_drops++;
	}
	if (meta->flags & XM_ROUTE_LEARN) {
		recent = recent_source(ip->saddr, ip->daddr, meta->iif);
		if (recent)
			__sync_fetch_and_add(&recent->dropped, 1);
	}
	return drop_on(vport, reason);
}

static __always_inline int send_copy(const struct xm_meta *meta, struct ethhdr *eth, struct xm_batch *batch)
{
	const struct xm_vport *port = &batch->port;
	struct iphdr *ip = (void *)(eth + 1);
	__u32 bytes = bpf_ntohs(ip->tot_len);

	if (ip->ttl <= port->ttl_threshold)
		return drop_copy(meta, ip, batch->vport, XM_DROP_TTL_OUT);
	if (bytes > port->mtu)
		return drop_copy(meta, ip, batch->vport, XM_DROP_TOO_BIG);
	decrement_ttl(ip);
	__builtin_memcpy(eth->h_source, port->mac, ETH_ALEN);
	note_copy(batch, meta, ip, bytes);
	return XDP_PASS;
}

/* The first copy for a device since the driver was last called. 0 when the device is no port of ours. */
static __noinline int open_batch(struct xm_batch *batch, __u32 ifindex)
{
	__u32 vport = vport_of(ifindex);
	struct xm_vport *port = bpf_map_lookup_elem(&xm_vports, &vport);

	batch->ifindex = ifindex;
	batch->count = 0;
	batch->vport = vport;
	if (!vport || !port)
		return 0;
	batch->port = *port;
	return 1;
}

SEC("xdp/devmap")
int xm_egress(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct xm_meta *meta = (void *)(long)ctx->data_meta;
	struct xm_batch *batch = this_batch();
	struct ethhdr *eth = data;

	if (!batch)
		return XDP_DROP;
	if (batch->ifindex != ctx->egress_ifindex || batch->count >= XM_BATCH_SIZE) {
		if (!open_batch(batch, ctx->egress_ifindex))
			return XDP_DROP;
	}
	if (!batch->vport)
		return XDP_DROP;
	if ((void *)(meta + 1) > data)
		return drop_on(batch->vport, XM_DROP_NO_METADATA);
	if (data + sizeof(*eth) + IP_HEADER_BYTES > end)
		return drop_on(batch->vport, XM_DROP_TRUNCATED);
	return send_copy(meta, eth, batch);
}

SEC("tp_btf/xdp_devmap_xmit")
int BPF_PROG(xm_transmitted, const struct net_device *from, const struct net_device *to, int sent)
{
	struct xm_batch *batch = this_batch();

	if (batch && batch->ifindex == (__u32)to->ifindex)
		settle_batch(batch, sent);
	return 0;
}

SEC("tp_btf/xdp_redirect_err")
int BPF_PROG(xm_not_replicated, const struct net_device *from, const struct bpf_prog *program)
{
	note_redirect_error(program);
	return 0;
}
