/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The maps, one comment each. Sizes marked "set at load" are the controller's decision; the numbers here serve tests that load
 * the object as it is.
 */
#ifndef XMCAST_MAPS_H
#define XMCAST_MAPS_H

#include "abi.h"
#include "bpf_base.h"

struct xm_policer {
	struct bpf_spin_lock lock;
	__u32 pad;
	__u64 credit_ns;
	__u64 last_ns;
};

/* (ifindex, VLAN) -> vport. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, XM_MAX_VPORTS);
	__type(key, struct xm_port_key);
	__type(value, struct xm_port);
} xm_ports SEC(".maps");

/* ifindex -> vport of the untagged port: for the low indexes that nearly all interfaces have. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, XM_FAST_PORTS);
	__type(key, __u32);
	__type(value, struct xm_port);
} xm_fast_ports SEC(".maps");

/* vport -> what the egress program needs to know of it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, XM_MAX_VPORTS);
	__type(key, __u32);
	__type(value, struct xm_vport);
} xm_vports SEC(".maps");

/* vport -> what the next controller needs to know of it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, XM_MAX_VPORTS);
	__type(key, __u32);
	__type(value, struct xm_port_record);
} xm_port_records SEC(".maps");

/* (S,G) and (*,G) -> route: all of them. Set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct xm_route_key);
	__type(value, struct xm_route);
} xm_routes SEC(".maps");

/*
 * High bits of the hash -> bucket of routes, which are in xm_routes as well: found there they cost one trip to memory in a full
 * table, and no call. BPF_F_MMAPABLE: buckets begin at a cache line, and the controller writes them word by word. Set at load; a
 * power of two.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct xm_route_bucket);
} xm_route_buckets SEC(".maps");

/* Group prefix -> set of source prefixes. Set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 64);
	__type(key, struct xm_group_prefix);
	__type(value, __u32);
} xm_group_prefixes SEC(".maps");

/* (set, source prefix) -> route, for what has neither (S,G) nor (*,G). Set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 64);
	__type(key, struct xm_source_prefix);
	__type(value, struct xm_route);
} xm_source_prefixes SEC(".maps");

/*
 * Replication groups: every inner map is an outgoing set, one slot a copy. All inner maps are made at start and never freed while
 * a program runs (CVE-2024-36937). Set at load.
 */
struct xm_devmap {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct bpf_devmap_val));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 64);
	__type(key, __u32);
	__array(values, struct xm_devmap);
} xm_groups SEC(".maps");

/* Which ports the slots of groups are for that have VLANs in them. Set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct xm_slot_key);
	__type(value, __u32);
} xm_slot_ports SEC(".maps");

/* ifindex of a device with VLANs -> how far its copies are. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, XM_MAX_VPORTS);
	__type(key, __u32);
	__type(value, struct xm_trunk_progress);
} xm_trunks SEC(".maps");

/* Index of a route's counters -> TTL: forwarded only if the TTL received is greater. Only for routes with XM_ROUTE_THRESHOLD. Set
 * at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u32);
} xm_route_thresholds SEC(".maps");

/*
 * As struct xm_route.flow: a route's counters and a vport -> there: the machine is a member of the group on that interface. Its
 * applications get what comes in by it, and of what leaves by it a copy, as on any host (ip_mc_output does the same). Only for
 * routes with XM_ROUTE_LOCAL.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u32);
} xm_members SEC(".maps");

/*
 * Arrays of counters. Those of one CPU after those of the other, so that each CPU writes to lines of its own; the kernel's
 * per-CPU array finds a value by a pointer that is another trip to memory. BPF_F_MMAPABLE: values begin at a page, hence at a
 * line, and the controller reads them without a system call for each.
 */

/* CPU * xm_route_slots + route. Set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct xm_route_counters);
} xm_route_stats SEC(".maps");

/* Route. Set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct xm_route_faults);
} xm_route_fault_stats SEC(".maps");

/*
 * Route -> what the controller adds to its counters: what has been counted elsewhere, or, as in a word that wraps, what belongs
 * to another route. No program reads it. Set at load.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct xm_route_counters);
} xm_route_moved SEC(".maps");

/* CPU * XM_MAX_VPORTS + vport. Set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XM_MAX_VPORTS);
	__type(key, __u32);
	__type(value, struct xm_vport_counters);
} xm_vport_stats SEC(".maps");

/* Addresses of a copy that is also counted by source. */
struct xm_batch_source {
	__be32 source;
	__be32 group;
};

/*
 * What a CPU is busy with: the packet its ingress program has just asked the kernel to replicate, and what its egress program has
 * let through since the driver was last called, with the port it is for.
 */
struct xm_cpu {
	__u32 ifindex; /* of the batch's device; 0: none */
	__u32 count;
	struct xm_vport port; /* untagged */
	__u64 mixed; /* not 0: the copies of the batch are not all of one route, port and length */
	__u32 vport; /* of the untagged port; 0: the device has only VLANs */
	__u32 inflight_counter;
	__u32 inflight_vport;
	__u32 sequence; /* of the last packet with copies to VLANs */
	__u32 pad[4];
	struct xm_meta copies[XM_BATCH_SIZE];
	struct xm_batch_source sources[XM_BATCH_SIZE];
	__u32 vports[XM_BATCH_SIZE]; /* of copies with xm_trunk_meta */
} __attribute__((aligned(64)));

/*
 * By CPU. A global variable, no declared map: found by arithmetic alone, which every copy is spared a look-up by.
 */
struct xm_cpu xm_cpus[XM_MAX_CPUS];

/*
 * Ids of the ingress programs, so that the failures of others are not taken for ours: while one takes the place of the other
 * there are two.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} xm_self SEC(".maps");

/* Streams without (S,G) route. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct xm_recent_key);
	__type(value, struct xm_recent);
} xm_recent_flows SEC(".maps");

/* class -> rate on one vport; XM_PUNT_MAX + class -> rate in total. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * XM_PUNT_MAX);
	__type(key, __u32);
	__type(value, struct xm_policer_config);
} xm_policer_cfg SEC(".maps");

/* vport * XM_PUNT_MAX + class -> token bucket; vport 0 stands for all of them together. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, XM_MAX_VPORTS *XM_PUNT_MAX);
	__type(key, __u32);
	__type(value, struct xm_policer);
} xm_policers SEC(".maps");

/* struct xm_punt and packet bytes, to the controller. Set at load; a power of two. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 22);
} xm_punts SEC(".maps");

#endif
