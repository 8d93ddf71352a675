/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Copies of packets to the controller: policed per vport and class, then written to the ring buffer. Never decides what becomes
 * of the packet itself.
 */
#ifndef XMCAST_PUNT_H
#define XMCAST_PUNT_H

#include "abi.h"
#include "bpf_base.h"
#include "maps.h"
#include "parse.h"

/* One announcement of a stream without route a second is enough; one of a stream on a wrong interface every three (as ipmr). */
static volatile const __u64 xm_recent_interval_ns = NSEC_PER_SEC;
static volatile const __u64 xm_wrong_interval_ns = 3 * NSEC_PER_SEC;

static __always_inline int take_token(__u32 bucket, __u32 rate, __u64 now_ns)
{
	struct xm_policer_config *config = bpf_map_lookup_elem(&xm_policer_cfg, &rate);
	struct xm_policer *policer = bpf_map_lookup_elem(&xm_policers, &bucket);
	int admitted;

	if (!config || !policer)
		return 0;
	bpf_spin_lock(&policer->lock);
	policer->credit_ns += now_ns - policer->last_ns;
	policer->last_ns = now_ns;
	if (policer->credit_ns > config->burst_ns)
		policer->credit_ns = config->burst_ns;
	admitted = policer->credit_ns >= config->cost_ns;
	if (admitted)
		policer->credit_ns -= config->cost_ns;
	bpf_spin_unlock(&policer->lock);
	return admitted;
}

/* First the port's own bucket, so that a flood on one port does not empty the one all ports share. */
static __always_inline int policer_admits(__u32 vport, enum xm_punt_class class, __u64 now_ns)
{
	return take_token(vport * XM_PUNT_MAX + class, class, now_ns) && take_token(class, XM_PUNT_MAX + class, now_ns);
}

/* The last bytes of so many, by which they are no whole number of 16. */
static __always_inline void copy_tail(__u8 *to, const struct xm_packet *packet, __u32 length, const __u32 limit)
{
	__u32 at = length & ~15U, count;

#pragma clang loop unroll(disable)
	for (count = 0; count < 15; count++) {
		/*
		 * Place and pointer are worked out anew: the verifier must see that what is compared is what is used, and takes a
		 * pointer made from one that was beyond the end to be beyond it as well.
		 */
		asm volatile("" : "+r"(at));
		if (at >= limit || packet->data + at + 1 > packet->end)
			return;
		to[at] = *(__u8 *)(packet->data + at);
		at++;
	}
}

/*
 * Up to `limit` bytes, a multiple of 16; returns how many. By words: a loop over bytes costs the verifier eight times the steps.
 * The tail first: wherever the words end, nothing is left for it to look at once more.
 */
static __always_inline __u32 copy_packet(__u8 *to, const struct xm_packet *packet, const __u32 limit)
{
	__u64 length = packet->end - packet->data;
	__u32 done;

	if (length > limit)
		length = limit;
	copy_tail(to, packet, length, limit);
#pragma clang loop unroll(disable)
	for (done = 0; done < limit; done += 16) {
		if (packet->data + done + 16 > packet->end)
			break;
		*(__u64 *)(to + done) = *(__u64 *)(packet->data + done);
		*(__u64 *)(to + done + 8) = *(__u64 *)(packet->data + done + 8);
	}
	return length;
}

static __always_inline int write_punt(const struct xm_packet *packet, __u32 vport, enum xm_punt_class class,
				      struct xm_vport_counters *stats, const __u32 bytes)
{
	struct xm_punt *punt = bpf_ringbuf_reserve(&xm_punts, sizeof(*punt) + bytes, 0);

	if (!punt) {
		stats->punts_lost[class]++;
		return 0;
	}
	punt->frame_bytes = packet->frame_bytes;
	punt->vport = vport;
	punt->class = class;
	punt->lifted_tag = packet->lifted_tag;
	punt->host_has_it = packet->host_has_it;
	punt->pad = 0;
	punt->captured_bytes = copy_packet((__u8 *)(punt + 1), packet, bytes);
	bpf_ringbuf_submit(punt, 0);
	stats->punts[class]++;
	return 1;
}

/*
 * Whether the controller has it. `whole`: it needs the packet itself, not only to know of it. A function of its own, so that the
 * way of a packet that is forwarded stays short.
 */
static __noinline int punt(const struct xm_packet *packet, __u32 vport, enum xm_punt_class class, struct xm_vport_counters *stats,
			   int whole)
{
	if (class >= XM_PUNT_MAX)
		return 0;
	if (!policer_admits(vport, class, bpf_ktime_get_ns())) {
		stats->punts_policed[class]++;
		return 0;
	}
	/* Most are small, and the ring holds a dozen of them in the room of one large record. */
	if (whole && packet->end - packet->data > XM_PUNT_SMALL_BYTES)
		return write_punt(packet, vport, class, stats, XM_PUNT_BYTES);
	if (whole)
		return write_punt(packet, vport, class, stats, XM_PUNT_SMALL_BYTES);
	return write_punt(packet, vport, class, stats, XM_PUNT_HEADER_BYTES);
}

/*
 * The entry of a stream without route of its own; a new one when there is none. NULL only when the table refuses. `fresh` tells
 * whether the controller should hear of it now.
 */
static __always_inline struct xm_recent *recent_flow(const struct xm_packet *packet, __u32 vport, enum xm_punt_class class,
						     __u64 interval_ns, int *fresh)
{
	struct xm_recent_key key = {
		.source = packet->ip->saddr,
		.group = packet->ip->daddr,
		.vport = vport,
		.class = class,
	};
	struct xm_recent *recent = bpf_map_lookup_elem(&xm_recent_flows, &key);
	__u64 now_ns = bpf_ktime_get_ns();

	*fresh = 1;
	if (recent) {
		*fresh = now_ns - recent->last_punt_ns >= interval_ns;
		if (*fresh)
			recent->last_punt_ns = now_ns;
		return recent;
	}
	struct xm_recent first = {.last_punt_ns = now_ns};

	bpf_map_update_elem(&xm_recent_flows, &key, &first, BPF_NOEXIST);
	return bpf_map_lookup_elem(&xm_recent_flows, &key);
}

#endif
