/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Where a frame came in, which route it takes, and where this CPU counts. Whatever kind of program asks. Looks up only: counts
 * and decides nothing.
 */
#ifndef XMCAST_LOOKUP_H
#define XMCAST_LOOKUP_H

#include "abi.h"
#include "bpf_base.h"
#include "maps.h"

/* Routes that xm_route_stats has room for on each CPU. Set at load. */
static volatile const __u32 xm_route_slots = 1024;
/* Bits of a hash that do not name the bucket. Set at load. */
static volatile const __u32 xm_index_shift = 31;

static __always_inline __u32 low_bits(__u32 word, __u32 bits)
{
	return word & ((1U << bits) - 1);
}

static __always_inline __u32 counter_of(__u32 flow)
{
	return low_bits(flow, XM_ROUTE_COUNTER_BITS);
}

static __always_inline __u32 iif_of(__u32 flow)
{
	return flow >> XM_ROUTE_COUNTER_BITS;
}

static __always_inline __u32 group_of(__u32 out)
{
	return low_bits(out, XM_ROUTE_GROUP_BITS);
}

static __always_inline __u32 copies_of(__u32 out)
{
	return low_bits(out >> XM_ROUTE_GROUP_BITS, XM_ROUTE_COPIES_BITS);
}

static __always_inline int has_flag(__u32 out, enum xm_route_flag flag)
{
	return (out & (__u32)flag << (XM_ROUTE_GROUP_BITS + XM_ROUTE_COPIES_BITS)) != 0;
}

/* A function of its own: the compiler would make one call of this look-up and the other, which is then no longer inlined. */
static __noinline struct xm_port *port_by_hash(__u32 ifindex, __u32 vlan)
{
	struct xm_port_key key = {.ifindex = ifindex, .vlan = vlan};

	return bpf_map_lookup_elem(&xm_ports, &key);
}

static __always_inline struct xm_port *port_of(__u32 ifindex)
{
	return ifindex < XM_FAST_PORTS ? bpf_map_lookup_elem(&xm_fast_ports, &ifindex) : port_by_hash(ifindex, 0);
}

/*
 * Whether the machine itself is a member on this interface, by a route with this `out`. Global: to the verifier its answers are
 * one way to go on, not three.
 */
__noinline int xm_is_member(__u32 out, __u32 counter, __u32 vport)
{
	__u32 key = vport << XM_ROUTE_COUNTER_BITS | counter;

	return has_flag(out, XM_ROUTE_LOCAL) && bpf_map_lookup_elem(&xm_members, &key);
}

static __always_inline struct xm_cpu *this_cpu(void)
{
	struct xm_cpu *cpu = &xm_cpus[bpf_get_smp_processor_id() & (XM_MAX_CPUS - 1)];

	/* Keeps the compiler from working the address out again wherever it is used. */
	asm volatile("" : "+r"(cpu));
	return cpu;
}

static __always_inline struct xm_route_counters *route_counters(__u32 counter)
{
	__u32 index = bpf_get_smp_processor_id() * xm_route_slots + counter;

	return bpf_map_lookup_elem(&xm_route_stats, &index);
}

static __always_inline struct xm_vport_counters *vport_counters(__u32 vport)
{
	__u32 index = bpf_get_smp_processor_id() * XM_MAX_VPORTS + vport;

	return bpf_map_lookup_elem(&xm_vport_stats, &index);
}

/* Whether packets have gone by this route, on any CPU. */
static __noinline int has_carried(__u32 counter)
{
	struct xm_route_counters *counters;
	__u32 cpu, index;

	for (cpu = 0; cpu < XM_MAX_CPUS; cpu++) {
		index = cpu * xm_route_slots + counter;
		counters = bpf_map_lookup_elem(&xm_route_stats, &index);
		if (!counters)
			return 0;
		if (counters->packets)
			return 1;
	}
	return 0;
}

/* Shared by all CPUs. */
static __always_inline struct xm_route_faults *route_faults(__u32 counter)
{
	return bpf_map_lookup_elem(&xm_route_fault_stats, &counter);
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

/* Of numbers in host order; the high bits name the bucket. Tables of addresses that follow each other spread as any others do. */
static __always_inline __u32 index_hash(__u32 source, __u32 group)
{
	__u32 hash = (source ^ group * XM_INDEX_SECOND_FACTOR) * XM_INDEX_FIRST_FACTOR;

	return (hash ^ hash >> XM_INDEX_FOLD) * XM_INDEX_SECOND_FACTOR;
}

static __always_inline struct xm_route *find_in_index(const struct xm_route_key *key)
{
	__u32 at = index_hash(bpf_ntohl(key->source), bpf_ntohl(key->group)) >> xm_index_shift;
	struct xm_route_bucket *bucket = bpf_map_lookup_elem(&xm_route_buckets, &at);
	int i;

	if (!bucket)
		return NULL;
#pragma clang loop unroll(full)
	for (i = 0; i < XM_INDEX_SLOTS; i++)
		if (*(const __u64 *)&bucket->keys[i] == *(const __u64 *)key)
			return &bucket->routes[i];
	return NULL;
}

static __always_inline struct xm_route *find_exact_route(const struct xm_route_key *key)
{
	struct xm_route *route = find_in_index(key);

	return route ? route : bpf_map_lookup_elem(&xm_routes, key);
}

/* Whether there is one; all zeroes otherwise. Its two words are read at once: the controller may be writing a new route over it.
 */
static __always_inline int find_route(const struct iphdr *ip, struct xm_route *found)
{
	struct xm_route_key key __attribute__((aligned(8))) = {.source = ip->saddr, .group = ip->daddr};
	struct xm_route *route = find_exact_route(&key);

	if (!route) {
		key.source = 0;
		route = find_exact_route(&key);
	}
	if (!route)
		route = find_prefix_route(ip);
	if (!route) {
		*(__u64 *)found = 0;
		return 0;
	}
	*(__u64 *)found = *(const volatile __u64 *)route;
	return 1;
}

#endif
