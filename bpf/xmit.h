/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What became of the copies. The egress program notes every copy it lets through; the kernel tells right after, on the same CPU,
 * how many of them the driver took (the rest is the tail of the batch), and when it could not replicate a packet at all.
 */
#ifndef XMCAST_XMIT_H
#define XMCAST_XMIT_H

#include "abi.h"
#include "bpf_base.h"
#include "lookup.h"
#include "maps.h"

/* The parts of kernel structs that are read here; libbpf finds where they really are. */
struct net_device {
	int ifindex;
} __attribute__((preserve_access_index));

struct bpf_prog_aux {
	__u32 id;
} __attribute__((preserve_access_index));

struct bpf_prog {
	struct bpf_prog_aux *aux;
} __attribute__((preserve_access_index));

static __always_inline struct xm_recent *recent_source(__be32 source, __be32 group, __u16 iif)
{
	struct xm_recent_key key = {.source = source, .group = group, .vport = iif, .class = XM_PUNT_NEW_SOURCE};

	return bpf_map_lookup_elem(&xm_recent_flows, &key);
}

static __always_inline __u64 word_of(const struct xm_meta *meta)
{
	return *(const __u64 *)meta;
}

/* Counted when the kernel tells what became of it. Its port is that of the batch. */
static __always_inline void note_copy(struct xm_cpu *cpu, const struct xm_meta *meta, const struct iphdr *ip)
{
	__u32 place = cpu->count & (XM_BATCH_SIZE - 1);
	__u64 word = word_of(meta);

	cpu->count++;
	*(__u64 *)&cpu->copies[place] = word;
	cpu->mixed |= word ^ word_of(&cpu->copies[0]);
	if (!iif_of(meta->flow))
		return;
	cpu->sources[place].source = ip->saddr;
	cpu->sources[place].group = ip->daddr;
}

/* One that need not be for the port of the batch. */
static __always_inline void note_trunk_copy(struct xm_cpu *cpu, const struct xm_meta *meta, const struct iphdr *ip, __u32 vport)
{
	cpu->vports[cpu->count & (XM_BATCH_SIZE - 1)] = vport;
	cpu->mixed = 1;
	note_copy(cpu, meta, ip);
}

static __noinline void count_by_source(const struct xm_batch_source *from, const struct xm_meta *copy, int was_sent)
{
	struct xm_recent *recent = recent_source(from->source, from->group, iif_of(copy->flow));

	if (!recent)
		return;
	if (!was_sent) {
		__sync_fetch_and_add(&recent->failed, 1);
		return;
	}
	__sync_fetch_and_add(&recent->sent, 1);
	__sync_fetch_and_add(&recent->sent_bytes, copy->bytes);
}

static __always_inline void count_copies(const struct xm_meta *copy, __u32 taken, __u32 failed)
{
	struct xm_route_counters *counters = route_counters(counter_of(copy->flow));

	if (!counters)
		return;
	counters->sent += taken;
	counters->sent_bytes += (__u64)taken * copy->bytes;
	counters->failed += failed;
}

static __always_inline void count_transmitted(__u32 vport, __u32 taken, __u32 failed, __u64 bytes)
{
	struct xm_vport_counters *stats = vport_counters(vport);

	if (!stats)
		return;
	stats->tx_packets += taken;
	stats->tx_bytes += bytes;
	stats->drops[XM_DROP_XMIT] += failed;
}

/* One by one: the batch is of several routes, ports or lengths, or also counted by source. */
static __noinline void settle_singly(struct xm_cpu *cpu, __u32 taken, __u32 count)
{
	__u32 i;

#pragma clang loop unroll(disable)
	for (i = 0; i < XM_BATCH_SIZE; i++) {
		const struct xm_meta *copy = &cpu->copies[i];

		if (i >= count)
			break;
		count_copies(copy, i < taken, i >= taken);
		count_transmitted(copy->trunk ? cpu->vports[i] : cpu->vport, i < taken, i >= taken, i < taken ? copy->bytes : 0);
		if (iif_of(copy->flow))
			count_by_source(&cpu->sources[i], copy, i < taken);
	}
}

/* The driver has taken the first `sent` copies of the batch. Called for every device of the machine, in every namespace. */
static __always_inline void settle_batch(struct xm_cpu *cpu, int sent)
{
	__u32 count = cpu->count, taken = sent < 0 ? 0 : sent;
	const struct xm_meta *first = &cpu->copies[0];

	if (taken > count)
		taken = count;
	if (cpu->mixed || iif_of(first->flow)) {
		settle_singly(cpu, taken, count);
	} else if (count) {
		count_copies(first, taken, count - taken);
		count_transmitted(cpu->vport, taken, count - taken, (__u64)taken * first->bytes);
	}
	/* The next copy looks its device up anew: it may be another port by then. */
	cpu->ifindex = 0;
	cpu->count = 0;
}

static __always_inline int is_ingress(const struct bpf_prog *program, __u32 place)
{
	__u32 *id = bpf_map_lookup_elem(&xm_self, &place);

	return id && program->aux->id == *id;
}

static __always_inline void note_redirect_error(const struct bpf_prog *program)
{
	struct xm_vport_counters *stats;
	struct xm_route_faults *faults;
	struct xm_cpu *cpu = this_cpu();

	/* While one observer takes the place of the other both are called: the first one counts. */
	if (!cpu->inflight_vport || (!is_ingress(program, 0) && !is_ingress(program, 1)))
		return;
	faults = route_faults(cpu->inflight_counter);
	stats = vport_counters(cpu->inflight_vport);
	cpu->inflight_vport = 0;
	if (faults)
		__sync_fetch_and_add(&faults->redirect_errors, 1);
	if (stats)
		stats->drops[XM_DROP_REDIRECT]++;
}

#endif
