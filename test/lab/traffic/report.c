// SPDX-License-Identifier: Apache-2.0
/*
 * xmtraffic report: membership reports in bulk, as if a host had joined many groups. No kernel host stands behind them: nobody
 * answers queries, so what a router then knows ends when its timers do.
 *
 *   join|refresh|leave FIRST COUNT RECORDS RATE
 *
 * FIRST and the COUNT - 1 groups after it, RECORDS of them in a message (1 with IGMPv2), RATE groups a second (0: as fast as it
 * goes).
 */
#define _GNU_SOURCE
#include "igmp-frame.h"
#include "tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 32
#define PAUSE_NS 100000

struct order {
	enum igmp_change change;
	uint32_t first;
	uint64_t count;
	uint64_t records;
	uint64_t rate;
};

struct reporter {
	int socket;
	const char *interface;
	/* The first of `hosts` in a row, which send in turn. */
	struct in_addr address;
	uint32_t hosts;
	int version;
	struct igmp_sender sender;
	struct line_reader lines;
};

static uint8_t frames[BATCH][IGMP_FRAME_BYTES];

/* By the number of the message, so that a group is always reported by the same host. */
static struct igmp_sender sender_of(const struct reporter *reporter, uint64_t message)
{
	struct igmp_sender sender = reporter->sender;

	sender.address.s_addr = htonl(ntohl(sender.address.s_addr) + (uint32_t)(message % reporter->hosts));
	return sender;
}

/* Returns how many groups the frames that left were about; 0 while the interface is busy. */
static uint64_t send_batch(const struct reporter *reporter, const struct order *order, uint64_t done, uint64_t due)
{
	struct mmsghdr messages[BATCH] = {0};
	struct iovec vectors[BATCH];
	uint64_t groups[BATCH];
	unsigned int count = 0;
	uint64_t left = 0;
	int sent;

	for (uint64_t at = done; at < due && count < BATCH; at += groups[count++]) {
		struct igmp_sender sender = sender_of(reporter, at / order->records);

		groups[count] = due - at < order->records ? due - at : order->records;
		vectors[count].iov_base = frames[count];
		vectors[count].iov_len =
			igmp_write_frame(frames[count], &sender, order->change, order->first + (uint32_t)at, groups[count]);
		messages[count].msg_hdr = (struct msghdr){.msg_iov = &vectors[count], .msg_iovlen = 1};
	}
	sent = sendmmsg(reporter->socket, messages, count, 0);
	if (sent < 0 && errno != ENOBUFS && errno != EAGAIN)
		die("send reports");
	for (int i = 0; i < sent; i++)
		left += groups[i];
	return left;
}

/* Whole messages only, but for the last one. */
static uint64_t due_now(const struct order *order, uint64_t elapsed_ns)
{
	uint64_t due = order->count;

	if (order->rate)
		due = (uint64_t)((double)elapsed_ns * (double)order->rate / (double)NS_PER_S) + order->records;
	return due < order->count ? due - due % order->records : order->count;
}

static uint64_t carry_out(const struct reporter *reporter, const struct order *order)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	uint64_t started = monotonic_ns();
	uint64_t done = 0;

	while (done < order->count) {
		uint64_t due = due_now(order, monotonic_ns() - started);
		uint64_t left = due > done ? send_batch(reporter, order, done, due) : 0;

		done += left;
		if (!left)
			nanosleep(&pause, NULL);
	}
	return monotonic_ns() - started;
}

static bool read_order(const char *line, int version, struct order *order)
{
	static const char *const words[] = {[IGMP_JOIN] = "join", [IGMP_REFRESH] = "refresh", [IGMP_LEAVE] = "leave"};
	char word[16], address[INET_ADDRSTRLEN];
	struct in_addr first;

	if (sscanf(line, "%15s %15s %lu %lu %lu", word, address, &order->count, &order->records, &order->rate) != 5 ||
	    !parse_address(address, &first) || order->records < 1 || order->records > (version == 3 ? IGMP_MAX_RECORDS : 1))
		return false;
	order->first = ntohl(first.s_addr);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(word, words[i]) == 0) {
			order->change = (enum igmp_change)i;
			return true;
		}
	}
	return false;
}

static void handle_line(char *line, void *context)
{
	struct reporter *reporter = context;
	struct order order;

	if (!read_order(line, reporter->version, &order))
		printf("{\"event\":\"answer\",\"error\":\"expected: join|refresh|leave FIRST COUNT RECORDS RATE\"}\n");
	else
		printf("{\"event\":\"answer\",\"elapsedNs\":%lu}\n", carry_out(reporter, &order));
	fflush(stdout);
}

static const struct option report_options[] = {
	{"interface", required_argument, NULL, 'i'},
	{"address", required_argument, NULL, 'a'},
	{"hosts", required_argument, NULL, 'h'},
	{"version", required_argument, NULL, 'v'},
	{0},
};

static void read_options(struct reporter *reporter, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", report_options, NULL)) != -1) {
		if (option == 'i')
			reporter->interface = optarg;
		else if (option == 'a')
			reporter->address = address_option("address", optarg);
		else if (option == 'h')
			reporter->hosts = (uint32_t)number_option("hosts", optarg, 1, 65536);
		else if (option == 'v')
			reporter->version = (int)number_option("version", optarg, 2, 3);
	}
	errno = 0;
	if (!reporter->interface || !reporter->address.s_addr || !reporter->version)
		die("report: --interface, --address and --version are required");
}

int report_main(int argc, char **argv)
{
	static struct reporter reporter = {.hosts = 1};
	struct sockaddr_ll to = {.sll_family = AF_PACKET};

	read_options(&reporter, argc, argv);
	reporter.sender = igmp_sender_on(reporter.interface, reporter.address, reporter.version);
	to.sll_ifindex = (int)interface_option("interface", reporter.interface);
	/* Protocol 0: this socket only sends. */
	reporter.socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (reporter.socket < 0 || bind(reporter.socket, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("open packet socket");
	/* Pauses of a tenth of a millisecond are meant. */
	prctl(PR_SET_TIMERSLACK, 1);
	puts("{\"event\":\"ready\"}");
	fflush(stdout);
	while (read_lines(&reporter.lines, handle_line, &reporter))
		;
	puts("{\"event\":\"finished\"}");
	return 0;
}
