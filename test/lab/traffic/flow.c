// SPDX-License-Identifier: Apache-2.0
/* Accounting of one flow, see flow.h. */
#include "flow.h"
#include "tool.h"

#include <stdlib.h>
#include <string.h>

static struct flow **bucket_of(struct flow_table *table, const struct flow_key *key)
{
	uint64_t mixed = (key->stream_id * 0x9e3779b97f4a7c15ULL) ^ (key->source.s_addr * 0xc2b2ae3d27d4eb4fULL) ^
			 (key->group.s_addr * 0x165667b19e3779f9ULL);

	return &table->buckets[(mixed >> 40) % FLOW_BUCKETS];
}

static struct flow *make_flow(const struct flow_key *key, const struct membership_table *memberships)
{
	struct flow *flow = calloc(1, sizeof(*flow));

	/* calloc of this size comes from mmap: pages that no sequence number touches cost nothing. */
	if (flow)
		flow->seen = calloc(SEEN_BITS / 64, sizeof(uint64_t));
	if (!flow || !flow->seen)
		die("allocate flow");
	flow->key = *key;
	flow->wish = membership_wish(memberships, key->group, key->source);
	return flow;
}

struct flow *flow_get(struct flow_table *table, const struct flow_key *key, const struct membership_table *memberships)
{
	struct flow **bucket = bucket_of(table, key);
	struct flow *flow = *bucket;

	while (flow && (flow->key.stream_id != key->stream_id || flow->key.source.s_addr != key->source.s_addr ||
			flow->key.group.s_addr != key->group.s_addr))
		flow = flow->next;
	if (!flow) {
		flow = make_flow(key, memberships);
		flow->next = *bucket;
		*bucket = flow;
	}
	return flow;
}

static void change_wish(struct flow *flow, struct wish wish)
{
	bool changed = flow->wish.wanted != wish.wanted;

	flow->wish = wish;
	if (!changed)
		return;
	if (wish.wanted) {
		flow->is_resuming = flow->received > 0;
		flow->has_join_latency = false;
	} else {
		flow->after_leave = 0;
		flow->after_leave_last_ns = 0;
	}
}

void flow_update_wishes(struct flow_table *table, const struct membership_table *memberships, struct in_addr group)
{
	for (size_t i = 0; i < FLOW_BUCKETS; i++) {
		for (struct flow *flow = table->buckets[i]; flow; flow = flow->next) {
			if (flow->key.group.s_addr == group.s_addr)
				change_wish(flow, membership_wish(memberships, group, flow->key.source));
		}
	}
}

static uint64_t seen_bit(uint64_t sequence)
{
	return 1ULL << (sequence % 64);
}

static uint64_t *seen_word(struct flow *flow, uint64_t sequence)
{
	return &flow->seen[sequence % SEEN_BITS / 64];
}

/* The bits of the numbers between the old last and the new one belonged to numbers that have fallen out of the window. */
static void advance_to(struct flow *flow, uint64_t sequence)
{
	if (sequence - flow->last_sequence >= SEEN_BITS)
		memset(flow->seen, 0, SEEN_BITS / 8);
	else
		for (uint64_t at = flow->last_sequence + 1; at <= sequence; at++)
			*seen_word(flow, at) &= ~seen_bit(at);
	if (flow->is_resuming && sequence > flow->last_sequence + 1) {
		flow->passed_by_from = flow->last_sequence + 1;
		flow->passed_by_to = sequence - 1;
		flow->passed_by += flow->passed_by_to - flow->passed_by_from + 1;
	}
	flow->last_sequence = sequence;
}

/* One that was taken for passed by has come after all. */
static void take_back_passed_by(struct flow *flow, uint64_t sequence)
{
	if (flow->passed_by && sequence >= flow->passed_by_from && sequence <= flow->passed_by_to)
		flow->passed_by--;
}

/* Places a sequence number. False when it is no new datagram. */
static bool place(struct flow *flow, uint64_t sequence)
{
	if (!flow->received) {
		flow->first_sequence = sequence;
		flow->last_sequence = sequence;
	} else if (sequence > flow->last_sequence) {
		advance_to(flow, sequence);
	} else if (flow->last_sequence - sequence >= SEEN_BITS) {
		flow->too_old++;
		return false;
	} else if (*seen_word(flow, sequence) & seen_bit(sequence)) {
		flow->duplicated++;
		return false;
	} else {
		flow->reordered++;
		take_back_passed_by(flow, sequence);
		if (sequence < flow->first_sequence)
			flow->first_sequence = sequence;
	}
	*seen_word(flow, sequence) |= seen_bit(sequence);
	return true;
}

static void note_time(struct flow *flow, const struct arrival *arrival)
{
	int64_t latency = (int64_t)(arrival->received_ns - arrival->sent_ns);

	if (!flow->received || latency < flow->latency_min_ns)
		flow->latency_min_ns = latency;
	if (!flow->received || latency > flow->latency_max_ns)
		flow->latency_max_ns = latency;
	flow->latency_sum_ns += latency;
	if (flow->received && !flow->is_resuming && arrival->received_ns > flow->last_received_ns &&
	    arrival->received_ns - flow->last_received_ns > flow->max_gap_ns)
		flow->max_gap_ns = arrival->received_ns - flow->last_received_ns;
	flow->last_received_ns = arrival->received_ns;
}

static void note_join_latency(struct flow *flow, const struct arrival *arrival)
{
	if (flow->has_join_latency || !flow->wish.wanted)
		return;
	flow->has_join_latency = true;
	/* A stream that is on the link already may arrive before setsockopt has returned. */
	flow->join_latency_ns = arrival->received_ns > flow->wish.since_ns ? arrival->received_ns - flow->wish.since_ns : 0;
}

static void note_ttl(struct flow *flow, int ttl)
{
	if (!flow->ttl_min || ttl < flow->ttl_min)
		flow->ttl_min = ttl;
	if (ttl > flow->ttl_max)
		flow->ttl_max = ttl;
}

void flow_receive(struct flow *flow, const struct arrival *arrival)
{
	note_ttl(flow, arrival->ttl);
	note_join_latency(flow, arrival);
	if (!place(flow, arrival->sequence))
		return;
	note_time(flow, arrival);
	flow->received++;
	flow->bytes += arrival->ip_bytes;
	flow->is_resuming = false;
}

void flow_see_on_wire(struct flow *flow, const struct arrival *arrival)
{
	flow->wire++;
	/* Stamped before the latest change: it was on its way under the wish before. */
	if (flow->wish.wanted || arrival->received_ns <= flow->wish.since_ns)
		return;
	flow->unwanted++;
	if (!flow->wish.since_ns)
		return;
	flow->after_leave++;
	flow->after_leave_last_ns = arrival->received_ns - flow->wish.since_ns;
}

uint64_t flow_lost(const struct flow *flow)
{
	if (!flow->received)
		return 0;
	return flow->last_sequence - flow->first_sequence + 1 - flow->received - flow->passed_by;
}
