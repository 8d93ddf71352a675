/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * VLANs (IEEE 802.1Q): which port a tagged frame came in by, which one a copy is for when several share its device, and the four
 * bytes of a tag put on and taken off. Frames are untagged between ingress and egress. Decides and counts nothing.
 */
#ifndef XMCAST_VLAN_H
#define XMCAST_VLAN_H

#include "abi.h"
#include "bpf_base.h"
#include "lookup.h"
#include "maps.h"
#include "rewrite.h"

#define VLAN_TAG_BYTES 4
#define TAGGED_HLEN (ETH_HLEN + VLAN_TAG_BYTES)
/* Of the 16 bits of a tag (TCI): the VLAN; above it one bit that lets it be dropped first, and three of priority. */
#define VLAN_ID_BITS 12

/* Where an untagged frame has its type. */
struct xm_tag {
	__be16 type;
	__be16 tci;
};

static __always_inline struct xm_tag *tag_of(void *frame)
{
	return frame + 2 * ETH_ALEN;
}

/* Of a customer, or of a provider (802.1ad). */
static __always_inline int is_tag(__be16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

/* 0 in a priority tag, which names none: the frame belongs to the untagged port. */
static __always_inline __u32 vlan_of(__u32 tci)
{
	return low_bits(tci, VLAN_ID_BITS);
}

static __always_inline __u32 priority_of(__u32 tci)
{
	return tci >> VLAN_ID_BITS & XM_TRUNK_PRIORITY;
}

static __always_inline struct xm_port *port_of_vlan(__u32 ifindex, __u32 vlan)
{
	struct xm_port *port = vlan ? port_by_hash(ifindex, vlan) : port_of(ifindex);

	return port && port->vport ? port : NULL;
}

/* 0: none. */
static __always_inline __u32 port_at(__u32 group, __u32 ifindex, __u32 place)
{
	struct xm_slot_key key = {.group = group, .ifindex = ifindex, .place = place};
	__u32 *vport = bpf_map_lookup_elem(&xm_slot_ports, &key);

	return vport ? *vport : 0;
}

/*
 * How many copies of the packet went to the device before this one. They pass its egress program in the order of their slots, in
 * one batch or in several, and also those that go no further are counted here.
 */
static __always_inline __u32 copies_before(__u32 ifindex, __u32 sequence)
{
	struct xm_trunk_progress *progress = bpf_map_lookup_elem(&xm_trunks, &ifindex);

	/* A device without VLANs stands in a group once. */
	if (!progress)
		return 0;
	if (progress->sequence != sequence) {
		progress->sequence = sequence;
		progress->copies = 0;
	}
	return progress->copies++;
}

/* Takes the tag off, and tells its priority. The frame has one: it was looked at before. Voids all that is known of its bytes. */
static __always_inline int take_tag(struct xdp_md *ctx, __u32 *priority)
{
	__u32 *words = (void *)(long)ctx->data;
	__u32 destination, middle, source;

	if ((void *)words + TAGGED_HLEN > (void *)(long)ctx->data_end)
		return -1;
	*priority = priority_of(bpf_ntohs(tag_of(words)->tci));
	destination = words[0];
	middle = words[1];
	source = words[2];
	words[1] = destination;
	words[2] = middle;
	words[3] = source;
	return bpf_xdp_adjust_head(ctx, VLAN_TAG_BYTES);
}

/* Tags the frame; its source address is left to be written. Voids all that is known of its bytes. */
static __always_inline int put_tag(struct xdp_md *ctx, __u32 tci)
{
	void *frame;

	if (bpf_xdp_adjust_head(ctx, -VLAN_TAG_BYTES))
		return -1;
	frame = (void *)(long)ctx->data;
	if (frame + TAGGED_HLEN > (void *)(long)ctx->data_end)
		return -1;
	*(__u32 *)frame = *(__u32 *)(frame + VLAN_TAG_BYTES);
	*(__u16 *)(frame + 4) = *(__u16 *)(frame + VLAN_TAG_BYTES + 4);
	tag_of(frame)->type = bpf_htons(ETH_P_8021Q);
	tag_of(frame)->tci = bpf_htons(tci);
	return 0;
}

#endif
