// SPDX-License-Identifier: Apache-2.0
/* Memberships of the receiver's socket, see membership.h. */
#include "membership.h"
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct membership *find_membership(const struct membership_table *table, struct in_addr group)
{
	for (struct membership *m = table->first; m; m = m->next) {
		if (m->group.s_addr == group.s_addr)
			return m;
	}
	return NULL;
}

static struct membership *get_membership(struct membership_table *table, struct in_addr group)
{
	struct membership *m = find_membership(table, group);

	if (m)
		return m;
	m = calloc(1, sizeof(*m));
	if (!m)
		die("allocate membership");
	m->group = group;
	m->next = table->first;
	table->first = m;
	return m;
}

static void set_source(struct membership *m, struct in_addr address, bool listed, uint64_t now)
{
	size_t at = 0;

	while (at < m->source_count && m->sources[at].address.s_addr != address.s_addr)
		at++;
	if (at == m->source_space) {
		m->source_space = m->source_space ? 2 * m->source_space : 8;
		m->sources = realloc(m->sources, m->source_space * sizeof(*m->sources));
		if (!m->sources)
			die("allocate sources");
	}
	if (at == m->source_count)
		m->source_count++;
	m->sources[at] = (struct filter_source){address, listed, now};
}

static void set_mode(struct membership *m, enum filter_mode mode, uint64_t now)
{
	if (m->mode == mode)
		return;
	m->mode = mode;
	m->changed_ns = now;
	m->source_count = 0;
}

static bool has_listed_source(const struct membership *m)
{
	for (size_t i = 0; i < m->source_count; i++) {
		if (m->sources[i].listed)
			return true;
	}
	return false;
}

/*
 * What the kernel does with the socket's filter once it has accepted the request (ip_mc_join_group, ip_mc_source,
 * ip_mc_leave_group).
 */
static void follow_request(struct membership *m, enum membership_request request, const struct in_addr *source)
{
	uint64_t now = monotonic_ns();

	if (request == REQUEST_BLOCK || request == REQUEST_UNBLOCK) {
		set_mode(m, FILTER_EXCLUDE, now);
		set_source(m, *source, request == REQUEST_BLOCK, now);
	} else if (!source) {
		set_mode(m, request == REQUEST_JOIN ? FILTER_EXCLUDE : FILTER_NONE, now);
	} else {
		set_mode(m, FILTER_INCLUDE, now);
		set_source(m, *source, request == REQUEST_JOIN, now);
		if (!has_listed_source(m))
			set_mode(m, FILTER_NONE, now);
	}
}

static int ask_kernel(const struct membership_table *table, enum membership_request request, struct in_addr group,
		      const struct in_addr *source)
{
	static const int source_options[] = {
		[REQUEST_JOIN] = IP_ADD_SOURCE_MEMBERSHIP,
		[REQUEST_LEAVE] = IP_DROP_SOURCE_MEMBERSHIP,
		[REQUEST_BLOCK] = IP_BLOCK_SOURCE,
		[REQUEST_UNBLOCK] = IP_UNBLOCK_SOURCE,
	};
	const struct ip_mreqn any = {.imr_multiaddr = group, .imr_ifindex = (int)table->interface};
	struct ip_mreq_source from = {.imr_multiaddr = group, .imr_interface = table->local};

	if (!source)
		return setsockopt(table->socket, IPPROTO_IP, request == REQUEST_JOIN ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP,
				  &any, sizeof(any));
	from.imr_sourceaddr = *source;
	return setsockopt(table->socket, IPPROTO_IP, source_options[request], &from, sizeof(from));
}

int membership_request(struct membership_table *table, enum membership_request request, struct in_addr group,
		       const struct in_addr *source)
{
	if (!source && (request == REQUEST_BLOCK || request == REQUEST_UNBLOCK))
		return EINVAL;
	if (ask_kernel(table, request, group, source) < 0)
		return errno;
	follow_request(get_membership(table, group), request, source);
	return 0;
}

int membership_replace_filter(struct membership_table *table, struct in_addr group, enum filter_mode mode,
			      const struct in_addr *sources, size_t count)
{
	union {
		struct ip_msfilter filter;
		char space[IP_MSFILTER_SIZE(MAX_FILTER_SOURCES)];
	} request = {.filter = {
			     .imsf_multiaddr = group,
			     .imsf_interface = table->local,
			     .imsf_fmode = mode == FILTER_INCLUDE ? MCAST_INCLUDE : MCAST_EXCLUDE,
			     .imsf_numsrc = (uint32_t)count,
		     }};
	struct membership *m;
	uint64_t now;

	if (count > MAX_FILTER_SOURCES)
		return E2BIG;
	memcpy((char *)&request + IP_MSFILTER_SIZE(0), sources, count * sizeof(*sources));
	if (setsockopt(table->socket, IPPROTO_IP, IP_MSFILTER, &request, (socklen_t)IP_MSFILTER_SIZE(count)) < 0)
		return errno;
	now = monotonic_ns();
	m = get_membership(table, group);
	set_mode(m, mode, now);
	for (size_t i = 0; i < m->source_count; i++)
		m->sources[i].listed = false;
	for (size_t i = 0; i < count; i++)
		set_source(m, sources[i], true, now);
	if (mode == FILTER_INCLUDE && count == 0)
		set_mode(m, FILTER_NONE, now);
	return 0;
}

struct wish membership_wish(const struct membership_table *table, struct in_addr group, struct in_addr source)
{
	const struct membership *m = find_membership(table, group);
	struct wish wish = {false, 0};

	if (!m)
		return wish;
	wish.since_ns = m->changed_ns;
	wish.wanted = m->mode == FILTER_EXCLUDE;
	for (size_t i = 0; i < m->source_count; i++) {
		if (m->sources[i].address.s_addr != source.s_addr)
			continue;
		wish.wanted = m->sources[i].listed == (m->mode == FILTER_INCLUDE);
		wish.since_ns = m->sources[i].changed_ns;
	}
	return wish;
}
