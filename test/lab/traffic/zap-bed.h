/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends of a router in one process and under one clock: a paced stream of frames from a source in another network namespace,
 * and ears on the ports of listeners. No kernel host is in the way, which would hold its reports back for a few jiffies.
 */
#ifndef XMTRAFFIC_ZAP_BED_H
#define XMTRAFFIC_ZAP_BED_H

#include "igmp-frame.h"
#include "tool.h"

#include <net/if.h>

#define ZAP_MAX_GROUPS 1024

/* What has been heard of a group since it was last cleared. */
struct heard {
	/* CLOCK_MONOTONIC by the kernel's receive stamp; 0: nothing. */
	uint64_t first_ns;
	uint64_t last_ns;
	/* Number of the first frame heard: so many were sent before it. */
	uint32_t first_sequence;
};

/* A port of a listener: reports are sent from it, frames of the stream are heard. */
struct ear {
	int socket;
	struct igmp_sender sender;
	/* By number of the group in the stream. */
	struct heard groups[ZAP_MAX_GROUPS];
};

/* Frames to `count` groups in turn, one every `interval_ns`. */
struct stream {
	uint32_t first;
	uint32_t count;
	uint64_t interval_ns;
	/* When the next frame is due, and how many were sent. */
	uint64_t next_ns;
	uint32_t sent;
	/* When the first frame left. */
	uint64_t started_ns;
};

struct zap_bed {
	int source_socket;
	uint8_t source_mac[ETHER_ADDR_LEN];
	struct in_addr source_address;
	uint16_t port;
	struct ear host;
	/* Port of somebody who may have joined before. */
	struct ear other;
	struct stream stream;
};

/* Where a socket is to be opened. `netns` NULL: where the process runs. */
struct place {
	const char *netns;
	char interface[IF_NAMESIZE];
	struct in_addr address;
};

void bed_open_source(struct zap_bed *bed, const struct place *place);
void bed_open_ear(struct ear *ear, const struct place *place, int version);

/* Sends a report or a leave and returns the time just before. `group` in host byte order. */
uint64_t ear_say(const struct ear *ear, enum igmp_change change, uint32_t group);

/* Begins a stream, silent until bed_run(). Forgets what was heard. */
void bed_begin_stream(struct zap_bed *bed, uint32_t first, uint32_t count, uint64_t rate);

/* True when there is nothing more to wait for. */
typedef bool (*bed_condition)(const struct zap_bed *bed);

/* Sends what is due and listens, until the condition holds or `until_ns` has come. NULL: no condition. Says whether it held. */
bool bed_run(struct zap_bed *bed, bed_condition condition, uint64_t until_ns);

#endif
