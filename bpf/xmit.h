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

static __always_inline void note_attempt(struct xm_batch *batch, const struct xm_meta *meta, const struct iphdr *ip, __u32 bytes)
{
	struct xm_batch_entry *entry = &batch->entries[batch->count & (XM_BATCH_SIZE - 1)];
	struct xm_recent *recent;

	batch->count++;
	entry->counter = meta->counter;
	entry->bytes = bytes;
	entry->flags = meta->flags;
	if (!(meta->flags & XM_ROUTE_LEARN))
		return;
	entry->source = ip->saddr;
	entry->group = ip->daddr;
	entry->iif = meta->iif;
	recent = recent_source(ip->saddr, ip->daddr, meta->iif);
	if (!recent)
		return;
	__sync_fetch_and_add(&recent->attempts, 1);
	__sync_fetch_and_add(&recent->attempt_bytes, bytes);
}

static __always_inline void note_failure(const struct xm_batch_entry *entry, struct xm_vport_counters *stats)
{
	__u32 index = entry->counter;
	struct xm_route_counters *flow = bpf_map_lookup_elem(&xm_route_stats, &index);
	struct xm_recent *recent;

	stats->tx_failed++;
	stats->tx_failed_bytes += entry->bytes;
	stats->drops[XM_DROP_XMIT]++;
	if (flow) {
		flow->failed++;
		flow->failed_bytes += entry->bytes;
	}
	if (!(entry->flags & XM_ROUTE_LEARN))
		return;
	recent = recent_source(entry->source, entry->group, entry->iif);
	if (!recent)
		return;
	__sync_fetch_and_add(&recent->failed, 1);
	__sync_fetch_and_add(&recent->failed_bytes, entry->bytes);
}

/* The driver has taken the first `sent` copies of the batch. Called for every device of the machine, in every namespace. */
static __always_inline void settle_batch(struct xm_batch *batch, int sent)
{
	__u32 vport = batch->vport, count = batch->count;
	struct xm_vport_counters *stats;
	int i;

	/* The next copy looks its device up anew: it may be another port by then. */
	batch->count = 0;
	batch->ifindex = 0;
	if (sent >= (int)count)
		return;
	stats = bpf_map_lookup_elem(&xm_vport_stats, &vport);
	if (!stats)
		return;
#pragma clang loop unroll(disable)
	for (i = 0; i < XM_BATCH_SIZE; i++)
		if (i >= sent && i < (int)count)
			note_failure(&batch->entries[i], stats);
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
