/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Membership messages as whole Ethernet frames, the way a host sends them: TTL 1, Router Alert, checksums filled in. Only what
 * the lab reports in bulk: any-source records, no lists of sources.
 */
#ifndef XMTRAFFIC_IGMP_FRAME_H
#define XMTRAFFIC_IGMP_FRAME_H

#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdint.h>

/* Ethernet, IPv4 with Router Alert, IGMPv3 header, and as many records as fit into 1500 bytes. */
#define IGMP_MAX_RECORDS 183
#define IGMP_FRAME_BYTES (ETHER_HDR_LEN + ETHERMTU)

enum igmp_change { IGMP_JOIN, IGMP_REFRESH, IGMP_LEAVE };

struct igmp_sender {
	uint8_t mac[ETHER_ADDR_LEN];
	struct in_addr address;
	/* 2 or 3. */
	int version;
};

/* Addresses of the interface, for frames sent there. */
struct igmp_sender igmp_sender_on(const char *interface, struct in_addr address, int version);

/*
 * Writes one frame about `count` groups in a row from `first` (host byte order) and returns its length. IGMPv2 has one group in a
 * message: count must be 1 then.
 */
size_t igmp_write_frame(uint8_t *frame, const struct igmp_sender *sender, enum igmp_change change, uint32_t first, size_t count);

/* RFC 1112 section 6.4. `group` in host byte order. */
void igmp_group_mac(uint8_t mac[ETHER_ADDR_LEN], uint32_t group);

/* RFC 1071, over a whole number of 16-bit words. */
uint16_t internet_checksum(const void *bytes, size_t length);

#endif
