// SPDX-License-Identifier: Apache-2.0
/* Helpers shared by the sub-commands, see tool.h. */
#define _GNU_SOURCE
#include "tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "unknown error";
}

void die(const char *format, ...)
{
	int error = errno;
	va_list args;

	fputs("xmtraffic: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (error)
		fprintf(stderr, ": %s (%s)", error_name(error), strerror(error));
	fputc('\n', stderr);
	exit(1);
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * (int64_t)NS_PER_S + now.tv_nsec;
}

uint64_t monotonic_ns(void)
{
	return (uint64_t)clock_ns(CLOCK_MONOTONIC);
}

int64_t realtime_to_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC) - clock_ns(CLOCK_REALTIME);
}

uint64_t number_option(const char *option, const char *text, uint64_t minimum, uint64_t maximum)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || value < minimum || value > maximum) {
		errno = 0;
		die("--%s %s: expected a number from %llu to %llu", option, text, (unsigned long long)minimum,
		    (unsigned long long)maximum);
	}
	return value;
}

bool parse_address(const char *text, struct in_addr *address)
{
	return inet_pton(AF_INET, text, address) == 1;
}

struct in_addr address_option(const char *option, const char *text)
{
	struct in_addr address;

	errno = 0;
	if (!parse_address(text, &address))
		die("--%s %s: expected an IPv4 address", option, text);
	return address;
}

unsigned int interface_option(const char *option, const char *name)
{
	unsigned int index = if_nametoindex(name);

	if (!index)
		die("--%s %s", option, name);
	return index;
}

bool read_lines(struct line_reader *reader, line_handler handle, void *context)
{
	ssize_t got = read(STDIN_FILENO, reader->bytes + reader->used, sizeof(reader->bytes) - reader->used);
	char *start = reader->bytes;
	char *end;

	if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
		return false;
	if (got < 0)
		return true;
	reader->used += (size_t)got;
	while ((end = memchr(start, '\n', reader->used - (size_t)(start - reader->bytes)))) {
		*end = '\0';
		handle(start, context);
		start = end + 1;
	}
	reader->used -= (size_t)(start - reader->bytes);
	memmove(reader->bytes, start, reader->used);
	errno = 0;
	if (reader->used == sizeof(reader->bytes))
		die("command line longer than %d bytes", LINE_MAX_BYTES);
	return true;
}
