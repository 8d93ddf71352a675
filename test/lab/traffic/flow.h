/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the receiver knows about one (stream, source, group): counting only, no sockets and no clock.
 *
 * Two views are kept apart. The host's view is what a joined socket got: received, lost, duplicated. The wire's view is every
 * frame of the flow that reached the interface, wanted or not: that is where a router which goes on sending after a leave shows.
 */
#ifndef XMTRAFFIC_FLOW_H
#define XMTRAFFIC_FLOW_H

#include "membership.h"

/* Sequence numbers over which a repetition is recognised with certainty. */
#define SEEN_BITS (1u << 20)
#define FLOW_BUCKETS 4096u

struct flow_key {
	uint32_t stream_id;
	struct in_addr source;
	struct in_addr group;
};

/* One arrival, in either view. */
struct arrival {
	struct flow_key key;
	uint64_t sequence;
	uint64_t sent_ns;
	/* CLOCK_MONOTONIC, by the kernel's receive stamp. */
	uint64_t received_ns;
	uint64_t ip_bytes;
	int ttl;
};

struct flow {
	struct flow *next;
	struct flow_key key;

	/* Distinct intact datagrams, and what else came. */
	uint64_t received;
	uint64_t duplicated;
	uint64_t reordered;
	uint64_t corrupted;
	/* So far behind that it cannot be told whether they are repetitions. Never counted as received. */
	uint64_t too_old;
	uint64_t bytes;
	int ttl_min;
	int ttl_max;

	uint64_t first_sequence;
	uint64_t last_sequence;
	/* Sequence numbers that passed by while the host did not want the flow: neither received nor lost. */
	uint64_t passed_by;
	uint64_t passed_by_from;
	uint64_t passed_by_to;
	/* One bit for each of the last SEEN_BITS sequence numbers, at number modulo SEEN_BITS. */
	uint64_t *seen;

	uint64_t last_received_ns;
	uint64_t max_gap_ns;
	int64_t latency_min_ns;
	int64_t latency_max_ns;
	int64_t latency_sum_ns;

	struct wish wish;
	/* The next datagram is the first since the flow became wanted again. */
	bool is_resuming;
	bool has_join_latency;
	uint64_t join_latency_ns;

	/* Wire's view. */
	uint64_t wire;
	uint64_t unwanted;
	uint64_t after_leave;
	uint64_t after_leave_last_ns;
};

struct flow_table {
	struct flow *buckets[FLOW_BUCKETS];
};

/* Finds or makes the flow; a new one starts with what the memberships say of it. */
struct flow *flow_get(struct flow_table *table, const struct flow_key *key, const struct membership_table *memberships);

/* Takes over the memberships' present view of every flow of a group. */
void flow_update_wishes(struct flow_table *table, const struct membership_table *memberships, struct in_addr group);

/* An intact datagram reached the joined socket. */
void flow_receive(struct flow *flow, const struct arrival *arrival);

/* A frame of the flow was seen on the interface. */
void flow_see_on_wire(struct flow *flow, const struct arrival *arrival);

/* Sequence numbers missing between the first and the last received, without those that passed by while unwanted. */
uint64_t flow_lost(const struct flow *flow);

#endif
