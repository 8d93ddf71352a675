// SPDX-License-Identifier: Apache-2.0
/*
 * xmtraffic zap: how long a router takes to begin and to end a stream, RFC 3918 sections 6.1 and 6.2. Runs where the listener is.
 *
 *   join METHOD FIRST COUNT RATE WARM_MS TIMEOUT_MS   COUNT trials, each with a group of its own from FIRST on
 *     unknown   the stream runs, nobody has joined (RFC 3918 6.1, method A)
 *     known     the stream runs, and another port has it already (method B)
 *     silent    the listener has joined, then the stream begins
 *   leave FIRST COUNT RATE TIMEOUT_MS                 COUNT groups at once, RATE frames a second for all of them together
 */
#define _GNU_SOURCE
#include "zap-bed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

/* Nothing more is to come of a group that has been silent so long. */
#define SILENCE_NS NS_PER_S
#define ESTABLISH_NS (10 * NS_PER_S)

struct trial {
	uint32_t first;
	uint64_t count;
	uint64_t rate;
	uint64_t warm_ms;
	uint64_t timeout_ms;
};

/* Adds up over the trials of one command. */
struct outcome {
	uint64_t missing;
	/* Frames of the stream sent before the first that came. */
	uint64_t passed;
	bool any;
};

struct zap {
	struct zap_bed bed;
	struct line_reader lines;
};

static bool host_hears(const struct zap_bed *bed)
{
	return bed->host.groups[0].first_ns != 0;
}

static bool other_hears(const struct zap_bed *bed)
{
	return bed->other.groups[0].first_ns != 0;
}

static bool all_heard(const struct zap_bed *bed)
{
	for (uint32_t i = 0; i < bed->stream.count; i++) {
		if (!bed->host.groups[i].first_ns)
			return false;
	}
	return true;
}

static bool all_silent(const struct zap_bed *bed)
{
	uint64_t now = monotonic_ns();

	for (uint32_t i = 0; i < bed->stream.count; i++) {
		if (now - bed->host.groups[i].last_ns < SILENCE_NS)
			return false;
	}
	return true;
}

static void print_delay(struct outcome *outcome, uint64_t delay_ns)
{
	printf("%s%lu", outcome->any ? "," : "", delay_ns);
	outcome->any = true;
}

static void run_for(struct zap_bed *bed, uint64_t ms)
{
	bed_run(bed, NULL, monotonic_ns() + ms * NS_PER_MS);
}

/* The stream is there before the listener. Returns the time of the report, 0 when the trial cannot be held. */
static uint64_t join_running_stream(struct zap_bed *bed, const struct trial *trial, bool is_known)
{
	bed_begin_stream(bed, trial->first, 1, trial->rate);
	if (is_known) {
		ear_say(&bed->other, IGMP_JOIN, trial->first);
		if (!bed_run(bed, other_hears, monotonic_ns() + ESTABLISH_NS))
			return 0;
	}
	run_for(bed, trial->warm_ms);
	/* Whoever floods the stream has no join delay. */
	if (host_hears(bed))
		return 0;
	return ear_say(&bed->host, IGMP_JOIN, trial->first);
}

/* The listener is there before the stream. Returns the time from which the delay counts. */
static uint64_t join_before_stream(struct zap_bed *bed, const struct trial *trial)
{
	bed->stream.count = 0;
	ear_say(&bed->host, IGMP_JOIN, trial->first);
	run_for(bed, trial->warm_ms);
	bed_begin_stream(bed, trial->first, 1, trial->rate);
	return monotonic_ns();
}

static void join_once(struct zap_bed *bed, const struct trial *trial, const char *method, struct outcome *outcome)
{
	bool is_silent = strcmp(method, "silent") == 0;
	uint64_t since =
		is_silent ? join_before_stream(bed, trial) : join_running_stream(bed, trial, strcmp(method, "known") == 0);
	const struct heard *heard = &bed->host.groups[0];

	if (since && bed_run(bed, host_hears, monotonic_ns() + trial->timeout_ms * NS_PER_MS)) {
		print_delay(outcome, heard->first_ns > since ? heard->first_ns - since : 0);
		outcome->passed += heard->first_sequence;
	} else {
		outcome->missing++;
	}
	ear_say(&bed->host, IGMP_LEAVE, trial->first);
	ear_say(&bed->other, IGMP_LEAVE, trial->first);
}

static void measure_joins(struct zap_bed *bed, struct trial trial, const char *method)
{
	struct outcome outcome = {0};

	printf("{\"event\":\"answer\",\"delaysNs\":[");
	for (; trial.count; trial.count--, trial.first++)
		join_once(bed, &trial, method, &outcome);
	printf("],\"missing\":%lu,\"passed\":%lu}\n", outcome.missing, outcome.passed);
}

static void measure_leaves(struct zap_bed *bed, const struct trial *trial)
{
	static uint64_t left_ns[ZAP_MAX_GROUPS];
	struct outcome outcome = {0};

	bed_begin_stream(bed, trial->first, (uint32_t)trial->count, trial->rate);
	for (uint32_t i = 0; i < trial->count; i++)
		ear_say(&bed->host, IGMP_JOIN, trial->first + i);
	bed_run(bed, all_heard, monotonic_ns() + ESTABLISH_NS);
	for (uint32_t i = 0; i < trial->count; i++)
		left_ns[i] = ear_say(&bed->host, IGMP_LEAVE, trial->first + i);
	bed_run(bed, all_silent, monotonic_ns() + trial->timeout_ms * NS_PER_MS);
	printf("{\"event\":\"answer\",\"delaysNs\":[");
	for (uint32_t i = 0; i < trial->count; i++) {
		const struct heard *heard = &bed->host.groups[i];

		if (!heard->first_ns || monotonic_ns() - heard->last_ns < SILENCE_NS)
			outcome.missing++;
		else
			print_delay(&outcome, heard->last_ns > left_ns[i] ? heard->last_ns - left_ns[i] : 0);
	}
	printf("],\"missing\":%lu,\"passed\":0}\n", outcome.missing);
}

static bool is_possible(const struct trial *trial, uint64_t most)
{
	return trial->count >= 1 && trial->count <= most && trial->rate >= 1 && trial->rate <= NS_PER_S && trial->timeout_ms >= 1;
}

static void handle_line(char *line, void *context)
{
	struct zap *zap = context;
	struct trial trial = {0};
	char method[16], address[INET_ADDRSTRLEN] = "";
	struct in_addr first = {0};
	bool is_join = sscanf(line, "join %15s %15s %lu %lu %lu %lu", method, address, &trial.count, &trial.rate, &trial.warm_ms,
			      &trial.timeout_ms) == 6;
	bool is_leave = sscanf(line, "leave %15s %lu %lu %lu", address, &trial.count, &trial.rate, &trial.timeout_ms) == 4;
	bool is_address = parse_address(address, &first);

	trial.first = ntohl(first.s_addr);
	if (is_address && is_join && is_possible(&trial, UINT32_MAX))
		measure_joins(&zap->bed, trial, method);
	else if (is_address && is_leave && is_possible(&trial, ZAP_MAX_GROUPS))
		measure_leaves(&zap->bed, &trial);
	else
		printf("{\"event\":\"answer\",\"error\":\"expected: join METHOD FIRST COUNT RATE WARM_MS TIMEOUT_MS, or leave "
		       "FIRST "
		       "COUNT RATE TIMEOUT_MS\"}\n");
	fflush(stdout);
}

/* NETNS:INTERFACE:ADDRESS, no NETNS for the own one. */
static struct place place_option(const char *option, char *text)
{
	struct place place = {0};
	char *interface = strchr(text, ':');
	char *address = interface ? strchr(interface + 1, ':') : NULL;

	errno = 0;
	if (!address)
		die("--%s %s: expected NETNS:INTERFACE:ADDRESS", option, text);
	*interface++ = *address++ = '\0';
	place.netns = *text ? text : NULL;
	snprintf(place.interface, sizeof(place.interface), "%s", interface);
	place.address = address_option(option, address);
	return place;
}

static const struct option zap_options[] = {
	{"source", required_argument, NULL, 's'}, {"host", required_argument, NULL, 'h'},
	{"other", required_argument, NULL, 'o'},  {"version", required_argument, NULL, 'v'},
	{"port", required_argument, NULL, 'p'},	  {0},
};

struct places {
	struct place source;
	struct place host;
	struct place other;
};

/* Returns the version of the reports. */
static int read_options(struct zap *zap, struct places *places, int argc, char **argv)
{
	int option, version = 3;

	while ((option = getopt_long(argc, argv, "", zap_options, NULL)) != -1) {
		if (option == 's')
			places->source = place_option("source", optarg);
		else if (option == 'h')
			places->host = place_option("host", optarg);
		else if (option == 'o')
			places->other = place_option("other", optarg);
		else if (option == 'v')
			version = (int)number_option("version", optarg, 2, 3);
		else if (option == 'p')
			zap->bed.port = (uint16_t)number_option("port", optarg, 1, 65535);
	}
	errno = 0;
	if (!places->source.address.s_addr || !places->host.address.s_addr || !places->other.address.s_addr || !zap->bed.port)
		die("zap: --source, --host, --other and --port are required");
	return version;
}

int zap_main(int argc, char **argv)
{
	static struct zap zap;
	struct places places = {0};
	int version = read_options(&zap, &places, argc, argv);

	bed_open_source(&zap.bed, &places.source);
	bed_open_ear(&zap.bed.host, &places.host, version);
	bed_open_ear(&zap.bed.other, &places.other, version);
	/* The next frame is due in microseconds. */
	prctl(PR_SET_TIMERSLACK, 1);
	puts("{\"event\":\"ready\"}");
	fflush(stdout);
	while (read_lines(&zap.lines, handle_line, &zap))
		;
	puts("{\"event\":\"finished\"}");
	return 0;
}
