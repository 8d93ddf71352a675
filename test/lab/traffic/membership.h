/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group memberships of one socket on one interface: asks the kernel, and on success keeps the same state itself, so that the
 * statistics know which (source, group) is wanted at any time and since when.
 */
#ifndef XMTRAFFIC_MEMBERSHIP_H
#define XMTRAFFIC_MEMBERSHIP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_FILTER_SOURCES 64

enum filter_mode { FILTER_NONE, FILTER_INCLUDE, FILTER_EXCLUDE };

struct filter_source {
	struct in_addr address;
	/* In the source list now; one taken off it stays here for the time of its change. */
	bool listed;
	uint64_t changed_ns;
};

struct membership {
	struct membership *next;
	struct in_addr group;
	enum filter_mode mode;
	/* When `mode` last changed. */
	uint64_t changed_ns;
	size_t source_count;
	size_t source_space;
	struct filter_source *sources;
};

struct membership_table {
	int socket;
	/* The interface, and its address, by which the kernel finds it for source-specific requests. */
	unsigned int interface;
	struct in_addr local;
	struct membership *first;
};

/* Whether a packet is wanted, and since when that has been so. */
struct wish {
	bool wanted;
	uint64_t since_ns;
};

enum membership_request { REQUEST_JOIN, REQUEST_LEAVE, REQUEST_BLOCK, REQUEST_UNBLOCK };

/*
 * One request about a group, or a (source, group) when `source` is not NULL. Returns 0 or the errno. REQUEST_BLOCK and
 * REQUEST_UNBLOCK need a source.
 */
int membership_request(struct membership_table *table, enum membership_request request, struct in_addr group,
		       const struct in_addr *source);

/* Replaces the whole filter of a joined group: the host then reports TO_IN or TO_EX (RFC 3376 section 5.1). */
int membership_replace_filter(struct membership_table *table, struct in_addr group, enum filter_mode mode,
			      const struct in_addr *sources, size_t count);

struct wish membership_wish(const struct membership_table *table, struct in_addr group, struct in_addr source);

#endif
