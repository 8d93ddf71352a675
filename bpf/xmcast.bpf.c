// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * The forwarder.
 *
 *   xm_ingress, on every port whose driver has native XDP: classify -> check -> route -> count -> TTL, checksum, VLAN tag off ->
 *   metadata -> broadcast into the route's replication group
 *   xm_egress, once per copy on its way out: TTL threshold, MTU, source MAC, VLAN tag on, count
 *   xm_tc_ingress (tc.h), on every port: what the former cannot take
 *   xm_tc_egress (tc-egress.h), on every port: what the machine itself sends
 *
 * Creates no route and no state a stranger could fill. What is not IPv4 multicast data passes to the host's stack untouched.
 */
#include "abi.h"
#include "bpf_base.h"
#include "lookup.h"
#include "maps.h"
#include "parse.h"
#include "punt.h"
#include "receive.h"
#include "rewrite.h"
#include "tc.h"
#include "tc-egress.h"
#include "tc-resend.h"
#include "vlan.h"
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
const enum xm_punt_tag *const xm_abi_punt_tag;
const enum xm_route_iif *const xm_abi_route_iif;
const enum xm_route_bits *const xm_abi_route_bits;
const enum xm_route_index *const xm_abi_route_index;
const struct xm_route_faults *const xm_abi_route_faults;
const enum xm_undo *const xm_abi_undo;

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

/* Off the way of other packets, whose copies their devices tell apart. */
static __noinline int write_trunk_metadata(struct xdp_md *ctx, const struct xm_meta *values, __u32 group)
{
	struct xm_cpu *cpu = this_cpu();
	struct xm_trunk_meta *trunk;
	struct xm_meta *meta;

	if (bpf_xdp_adjust_meta(ctx, -(int)(sizeof(*meta) + sizeof(*trunk))))
		return -1;
	meta = (void *)(long)ctx->data_meta;
	trunk = (void *)(meta + 1);
	if ((void *)(trunk + 1) > (void *)(long)ctx->data)
		return -1;
	*meta = *values;
	trunk->group = group;
	trunk->sequence = ++cpu->sequence;
	return 0;
}

/* Once for all copies. */
static __always_inline int pass_hop(struct xdp_md *ctx)
{
	struct iphdr *ip = (void *)(long)ctx->data + sizeof(struct ethhdr);

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return -1;
	decrement_ttl(ip);
	return 0;
}

/* The frame loses its tag, passes a hop and takes along what is to be known of it. */
static __always_inline int prepare(struct xdp_md *ctx, struct xm_meta *meta, __u32 out, const __u32 link_bytes)
{
	__u32 priority = 0;

	if (link_bytes == TAGGED_HLEN && take_tag(ctx, &priority))
		return -1;
	if (has_flag(out, XM_ROUTE_TRUNK)) {
		meta->trunk = XM_TRUNK | priority;
		return write_trunk_metadata(ctx, meta, group_of(out)) || pass_hop(ctx);
	}
	return write_metadata(ctx, meta) || pass_hop(ctx);
}

static __always_inline int replicate(struct xdp_md *ctx, const struct xm_packet *packet, __u32 out, struct xm_meta *meta,
				     __u32 vport, struct xm_vport_counters *stats, const __u32 link_bytes)
{
	__u32 slot = group_of(out), copies = copies_of(out);
	struct xm_cpu *cpu = this_cpu();
	void *group;

	if (!copies)
		return drop(packet, stats, XM_DROP_NO_RECEIVERS);
	group = bpf_map_lookup_elem(&xm_groups, &slot);
	if (!group)
		return drop(packet, stats, XM_DROP_NO_GROUP);
	if (prepare(ctx, meta, out, link_bytes))
		return drop(packet, stats, XM_DROP_NO_METADATA);
	cpu->inflight_counter = counter_of(meta->flow);
	cpu->inflight_vport = vport;
	/* One copy needs no broadcast. Should its slot be empty, nothing leaves, as with a broadcast. */
	if (copies == 1)
		return bpf_redirect_map(group, 0, XDP_DROP);
	return bpf_redirect_map(group, 0, BPF_F_BROADCAST);
}

static __always_inline int forward(struct xdp_md *ctx, const struct xm_packet *packet, const struct xm_port *port,
				   const struct xm_route *route, struct xm_vport_counters *stats, const __u32 link_bytes)
{
	__u32 flow = route->flow, out = route->out;
	int verdict = admit(packet, port, route, stats);
	struct xm_meta meta;

	if (verdict != XDP_REDIRECT)
		return verdict;
	meta.flow = has_flag(out, XM_ROUTE_LEARN) ? flow : counter_of(flow);
	meta.bytes = packet->bytes;
	meta.ttl = packet->ip->ttl;
	meta.trunk = 0;
	return replicate(ctx, packet, out, &meta, port->vport, stats, link_bytes);
}

/*
 * IPv4 data to a routable group: every packet ends in exactly one counter, here or, when it is passed on uncounted, in
 * xm_tc_ingress.
 */
static __always_inline int receive_data(struct xdp_md *ctx, const struct xm_packet *packet, const struct xm_port *port,
					struct xm_vport_counters *stats, const __u32 link_bytes)
{
	struct xm_route route __attribute__((aligned(8)));
	enum xm_drop_reason reason = check_header(packet, link_bytes);
	int has_route;

	if (reason != XM_DROP_MAX) {
		count_received(packet, stats);
		return refuse(packet, stats, reason);
	}
	if (packet->frame_bytes > XM_MAX_BROADCAST_FRAME)
		return XDP_PASS;
	has_route = find_route(packet->ip, &route);
	if (has_route && has_flag(route.out, XM_ROUTE_TC))
		return XDP_PASS;
	count_received(packet, stats);
	if (is_question(has_route, &route, port->vport))
		return no_route(packet, port->vport, stats);
	return forward(ctx, packet, port, &route, stats, link_bytes);
}

static __always_inline enum xm_kind view_frame(struct xdp_md *ctx, struct xm_packet *packet, const __u32 link_bytes)
{
	enum xm_kind kind;

	packet->data = (void *)(long)ctx->data;
	packet->end = (void *)(long)ctx->data_end;
	packet->frame_bytes = packet->end - packet->data;
	packet->packets = 1;
	packet->lifted_tag = 0;
	packet->host_has_it = 0;
	kind = classify(packet, link_bytes);
	if (kind != XM_KIND_OTHER)
		packet->bytes = bpf_ntohs(packet->ip->tot_len);
	return kind;
}

/* What stands behind one tag too many. */
static __noinline int receive_stacked(struct xdp_md *ctx, const struct xm_port *port, int has_two)
{
	struct xm_vport_counters *stats = vport_counters(port->vport);
	struct xm_packet packet;
	enum xm_kind kind;

	if (has_two)
		kind = view_frame(ctx, &packet, TAGGED_HLEN + VLAN_TAG_BYTES);
	else
		kind = view_frame(ctx, &packet, TAGGED_HLEN);
	return stats && kind == XM_KIND_DATA ? refuse_stacked(&packet, stats) : XDP_PASS;
}

/* The way of an untagged frame but for where its header is. */
static __always_inline int receive_vlan(struct xdp_md *ctx, const struct xm_port *port)
{
	struct xm_vport_counters *stats = vport_counters(port->vport);
	struct xm_packet packet;
	enum xm_kind kind = view_frame(ctx, &packet, TAGGED_HLEN);

	if (!stats || kind == XM_KIND_OTHER)
		return XDP_PASS;
	if (kind != XM_KIND_DATA)
		return receive_signalling(&packet, port->vport, stats);
	return receive_data(ctx, &packet, port, stats, TAGGED_HLEN);
}

/* What has no IPv4 header where an untagged frame has it. A function of its own, to keep the way of the others short. */
static __noinline int receive_tagged(struct xdp_md *ctx)
{
	const struct xm_tag *tag = tag_of((void *)(long)ctx->data);
	struct xm_port *port;
	int is_customer, has_two;

	/* With the type of what follows. */
	if ((void *)tag + VLAN_TAG_BYTES + sizeof(__be16) > (void *)(long)ctx->data_end || !is_tag(tag->type))
		return XDP_PASS;
	is_customer = tag->type == bpf_htons(ETH_P_8021Q);
	has_two = is_tag(tag[1].type);
	port = port_of_vlan(ctx->ingress_ifindex, is_customer ? vlan_of(bpf_ntohs(tag->tci)) : 0);
	if (!port)
		return XDP_PASS;
	return is_customer && !has_two ? receive_vlan(ctx, port) : receive_stacked(ctx, port, has_two);
}

SEC("xdp")
int xm_ingress(struct xdp_md *ctx)
{
	struct xm_vport_counters *stats;
	struct xm_packet packet;
	enum xm_kind kind = view_frame(ctx, &packet, ETH_HLEN);
	struct xm_port *port;

	if (__builtin_expect(kind == XM_KIND_OTHER, 0))
		return receive_tagged(ctx);
	port = port_of(ctx->ingress_ifindex);
	if (!port || !port->vport)
		return XDP_PASS;
	stats = vport_counters(port->vport);
	if (!stats)
		return XDP_PASS;
	if (kind != XM_KIND_DATA)
		return receive_signalling(&packet, port->vport, stats);
	return receive_data(ctx, &packet, port, stats, ETH_HLEN);
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

static __always_inline int send_copy(const struct xm_meta *meta, struct ethhdr *eth, struct xm_cpu *cpu)
{
	struct iphdr *ip = (void *)(eth + 1);

	if (meta->ttl <= cpu->port.ttl_threshold)
		return drop_copy(meta, ip, cpu->vport, XM_DROP_TTL_OUT);
	/* A device that has no untagged port any more has no MTU for one. */
	if (meta->bytes > cpu->port.mtu)
		return cpu->vport ? drop_copy(meta, ip, cpu->vport, XM_DROP_TOO_BIG) : XDP_DROP;
	set_source(eth, cpu->port.mac);
	note_copy(cpu, meta, ip);
	return XDP_PASS;
}

static __always_inline struct iphdr *ip_behind(const struct xdp_md *ctx, __u32 link_bytes)
{
	struct iphdr *ip = (void *)(long)ctx->data + link_bytes;

	return (void *)(ip + 1) > (void *)(long)ctx->data_end ? NULL : ip;
}

/* Every copy but those that stop here leaves by this. */
static __noinline int send_from(struct xdp_md *ctx, const struct xm_meta *meta, const struct xm_vport *port, __u32 vport)
{
	__u32 link_bytes = port->vlan ? TAGGED_HLEN : ETH_HLEN;
	__u32 tci = port->vlan | (__u32)(meta->trunk & XM_TRUNK_PRIORITY) << VLAN_ID_BITS;
	int has_room = !port->vlan || !put_tag(ctx, tci);
	struct iphdr *ip = port->vlan && has_room ? ip_behind(ctx, TAGGED_HLEN) : ip_behind(ctx, ETH_HLEN);

	if (!ip)
		return drop_on(vport, XM_DROP_TRUNCATED);
	if (!has_room)
		return drop_copy(meta, ip, vport, XM_DROP_NO_METADATA);
	set_source((void *)ip - link_bytes, port->mac);
	note_trunk_copy(this_cpu(), meta, ip, vport);
	return XDP_PASS;
}

/* A copy whose device does not tell which port it is for. Off the way of the others. */
static __noinline int send_trunk_copy(struct xdp_md *ctx)
{
	struct xm_meta *meta = (void *)(long)ctx->data_meta, values;
	struct xm_trunk_meta *trunk = (void *)(meta + 1);
	__u32 device = ctx->egress_ifindex, vport;
	struct iphdr *ip = ip_behind(ctx, ETH_HLEN);
	struct xm_vport *port;

	if ((void *)(trunk + 1) > (void *)(long)ctx->data || !ip)
		return XDP_DROP;
	values = *meta;
	vport = port_at(trunk->group, device, copies_before(device, trunk->sequence));
	port = bpf_map_lookup_elem(&xm_vports, &vport);
	if (!vport || !port || port->ifindex != device)
		return drop_copy(&values, ip, vport, XM_DROP_NO_GROUP);
	if (values.ttl <= port->ttl_threshold)
		return drop_copy(&values, ip, vport, XM_DROP_TTL_OUT);
	if (values.bytes > port->mtu)
		return drop_copy(&values, ip, vport, XM_DROP_TOO_BIG);
	return send_from(ctx, &values, port, vport);
}

/*
 * The first copy for a device since the driver was last called. A device may have VLANs only: then its untagged port is vport 0,
 * by which nothing leaves.
 */
static __noinline int open_batch(struct xm_cpu *cpu, __u32 ifindex)
{
	struct xm_port *known = port_of(ifindex);
	__u32 vport = known ? known->vport : 0;
	struct xm_vport *port = bpf_map_lookup_elem(&xm_vports, &vport);

	cpu->ifindex = 0;
	cpu->count = 0;
	cpu->mixed = 0;
	if (!port)
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
	if (meta->trunk)
		return send_trunk_copy(ctx);
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
