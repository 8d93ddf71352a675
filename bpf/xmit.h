/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What became of the copies. The egress program notes every copy it lets through; the kernel tells right after, on the same CPU,
 * how many of them the driver took (the rest is the tail of the batch), and when it could not replicate a packet at all.
 */
#ifndef XMCAST_XMIT_H
#define XMCAST_XMIT_H

#include "abi.h"
#include "bpf_base.h"
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

static __always_inline struct xm_batch *this_batch(void)
{
	__u32 only = 0;

	return bpf_map_lookup_elem(&xm_batches, &only);
}

static __always_inline struct xm_recent *recent_source(__be32 source, __be32 group, __u16 iif)
{
	struct xm_recent_key key = {.source = source, .group = group, .vport = iif, .class = XM_PUNT_NEW_SOURCE};

	return bpf_map_lookup_elem(&xm_recent_flows, &key);
}

/* Counted when the kernel tells what became of it. */
static __always_inline void note_copy(struct xm_batch *batch, const struct xm_meta *meta, const struct iphdr *ip, __u32 bytes)
{
	struct xm_batch_entry *entry = &batch->entries[batch->count & (XM_BATCH_SIZE - 1)];

	batch->count++;
	entry->counter = meta->counter;
	entry->bytes = bytes;
	entry->flags = meta->flags;
	if (!(meta->flags & XM_ROUTE_LEARN))
		return;
	entry->source = ip->saddr;
	entry->group = ip->daddr;
	entry->iif = meta->iif;
}

static __noinline void count_by_source(const struct xm_batch_entry *entry, int was_sent)
{
	struct xm_recent *recent = recent_source(entry->source, entry->group, entry->iif);

	if (!recent)
		return;
	if (!was_sent) {
		__sync_fetch_and_add(&recent->failed, 1);
		return;
	}
	__sync_fetch_and_add(&recent->sent, 1);
	__sync_fetch_and_add(&recent->sent_bytes, entry->bytes);
}

/* Consecutive copies of one route and one fate. */
struct xm_run {
	__u32 counter;
	__u32 copies;
	__u32 bytes;
};

static __always_inline void count_sent(const struct xm_run *run)
{
	struct xm_route_counters *flow = bpf_map_lookup_elem(&xm_route_stats, &run->counter);

	if (!flow)
		return;
	flow->sent += run->copies;
	flow->sent_bytes += run->bytes;
}

static __noinline void count_failed(const struct xm_batch_entry *entry, struct xm_vport_counters *stats)
{
	__u32 index = entry->counter;
	struct xm_route_counters *flow = bpf_map_lookup_elem(&xm_route_stats, &index);

	if (stats)
		stats->drops[XM_DROP_XMIT]++;
	if (flow)
		flow->failed++;
	if (entry->flags & XM_ROUTE_LEARN)
		count_by_source(entry, 0);
}

/* The driver has taken the first `sent` copies of the batch. Called for every device of the machine, in every namespace. */
static __always_inline void settle_batch(struct xm_batch *batch, int sent)
{
	__u32 vport = batch->vport, count = batch->count, bytes = 0, i;
	struct xm_vport_counters *stats = bpf_map_lookup_elem(&xm_vport_stats, &vport);
	__u32 taken = sent < 0 ? 0 : sent;
	struct xm_run run = {};

	/* The next copy looks its device up anew: it may be another port by then. */
	batch->count = 0;
	batch->ifindex = 0;
	if (taken > count)
		taken = count;
#pragma clang loop unroll(disable)
	for (i = 0; i < XM_BATCH_SIZE; i++) {
		struct xm_batch_entry *entry = &batch->entries[i];

		if (i >= count)
			break;
		if (i >= taken) {
			count_failed(entry, stats);
			continue;
		}
		if (run.copies && entry->counter != run.counter) {
			count_sent(&run);
			run.copies = run.bytes = 0;
		}
		run.counter = entry->counter;
		run.copies++;
		run.bytes += entry->bytes;
		bytes += entry->bytes;
		if (entry->flags & XM_ROUTE_LEARN)
			count_by_source(entry, 1);
	}
	if (run.copies)
		count_sent(&run);
	if (!stats)
		return;
	stats->tx_packets += taken;
	stats->tx_bytes += bytes;
}

static __always_inline void note_redirect_error(const struct bpf_prog *program)
{
	__u32 only = 0, index, vport;
	__u32 *self = bpf_map_lookup_elem(&xm_self, &only);
	struct xm_inflight *inflight = bpf_map_lookup_elem(&xm_inflights, &only);
	struct xm_vport_counters *stats;
	struct xm_route_counters *flow;

	if (!self || !inflight || program->aux->id != *self)
		return;
	index = inflight->counter;
	vport = inflight->vport;
	flow = bpf_map_lookup_elem(&xm_route_stats, &index);
	stats = bpf_map_lookup_elem(&xm_vport_stats, &vport);
	if (flow)
		flow->redirect_errors++;
	if (stats)
		stats->drops[XM_DROP_REDIRECT]++;
}

#endif
