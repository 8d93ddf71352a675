/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What a hop changes in a frame. Knows bytes, not whose they are. */
#ifndef XMCAST_REWRITE_H
#define XMCAST_REWRITE_H

#include "abi.h"
#include "bpf_base.h"

/* RFC 1624: the TTL is the high byte of its word, so one less there is 0x0100 more in the checksum. */
static __always_inline void decrement_ttl(struct iphdr *ip)
{
	__u32 check = ip->check + bpf_htons(0x0100);

	ip->check = check + (check >= 0xffff);
	ip->ttl--;
}

/* By words: of bytes the compiler knows no alignment, and would move them one by one. */
static __always_inline void set_source(void *frame, const void *mac)
{
	void *source = frame + ETH_ALEN;

	*(__u32 *)source = *(const __u32 *)mac;
	*(__u16 *)(source + 4) = *(const __u16 *)(mac + 4);
}

static __always_inline int has_source(const void *frame, const void *mac)
{
	const void *source = frame + ETH_ALEN;

	return *(const __u32 *)source == *(const __u32 *)mac && *(const __u16 *)(source + 4) == *(const __u16 *)(mac + 4);
}

#endif
