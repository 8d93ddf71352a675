// SPDX-License-Identifier: Apache-2.0
/*
 * xmtraffic send: one stream of numbered multicast datagrams at a steady rate. A datagram that the kernel refuses uses no
 * sequence number, so a receiver sees a gap only where something was lost on the way. Commands: "stats", "rate N" (0 pauses),
 * "stop".
 */
#define _GNU_SOURCE
#include "probe.h"
#include "tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64
#define TICK_NS NS_PER_MS
/* A sender that was held up catches up at this multiple of its rate, not in one burst: a veth ring holds 256 frames. */
#define CATCH_UP_FACTOR 4
#define CATCH_UP_PAUSE_NS (NS_PER_MS / 10)
#define MIN_BURST 16
#define NEVER UINT64_MAX

struct sender {
	struct sockaddr_in to;
	struct in_addr source;
	unsigned int interface;
	uint64_t rate;
	uint64_t count;
	uint64_t seconds;
	size_t size;
	int ttl;
	uint32_t stream_id;

	int socket;
	bool stopped;
	uint64_t sent;
	uint64_t errors;
	int last_error;
	uint64_t started_ns;
	uint64_t first_ns;
	uint64_t last_ns;
	/* Pacing: `paced_slots` slots were used at `paced_ns`, when the rate was last set. A slot is a datagram sent or refused.
	 */
	uint64_t paced_ns;
	uint64_t paced_slots;

	uint8_t *payloads;
	struct iovec vectors[BATCH];
	struct mmsghdr messages[BATCH];
	struct line_reader lines;
};

static uint64_t slots_used(const struct sender *sender)
{
	return sender->sent + sender->errors;
}

static void set_rate(struct sender *sender, uint64_t rate)
{
	sender->rate = rate;
	sender->paced_ns = monotonic_ns();
	sender->paced_slots = slots_used(sender);
}

static void print_state(const struct sender *sender, const char *event)
{
	printf("{\"event\":\"%s\",\"sent\":%lu,\"errors\":%lu,\"lastError\":", event, sender->sent, sender->errors);
	if (sender->last_error)
		printf("\"%s\"", error_name(sender->last_error));
	else
		printf("null");
	printf(",\"firstNs\":%lu,\"lastNs\":%lu,\"rate\":%lu}\n", sender->first_ns, sender->last_ns, sender->rate);
}

static void handle_command(char *line, void *context)
{
	struct sender *sender = context;

	if (strncmp(line, "rate ", 5) == 0)
		set_rate(sender, strtoull(line + 5, NULL, 10));
	else if (strcmp(line, "stop") == 0)
		sender->stopped = true;
	else if (strcmp(line, "stats") != 0) {
		printf("{\"event\":\"answer\",\"error\":\"unknown command\"}\n");
		return;
	}
	print_state(sender, "answer");
}

/* Datagrams that should have gone out by now and have not, at most one burst. */
static uint64_t slots_due(struct sender *sender, uint64_t now)
{
	uint64_t burst = CATCH_UP_FACTOR * sender->rate * TICK_NS / NS_PER_S;
	uint64_t used = slots_used(sender);
	uint64_t due;

	if (!sender->rate)
		return 0;
	due = sender->paced_slots + 1 + (uint64_t)((__uint128_t)(now - sender->paced_ns) * sender->rate / NS_PER_S);
	if (due > sender->count)
		due = sender->count;
	if (due <= used)
		return 0;
	if (burst < MIN_BURST)
		burst = MIN_BURST;
	return due - used < burst ? due - used : burst;
}

static uint64_t next_wake_ns(const struct sender *sender, uint64_t now)
{
	uint64_t ahead = slots_used(sender) - sender->paced_slots;
	uint64_t due;

	if (!sender->rate)
		return NEVER;
	due = sender->paced_ns + (uint64_t)((__uint128_t)ahead * NS_PER_S / sender->rate) + 1;
	if (due <= now)
		return now + CATCH_UP_PAUSE_NS;
	return due < now + TICK_NS && sender->rate > NS_PER_S / TICK_NS ? now + TICK_NS : due;
}

/* Fills and sends up to BATCH datagrams. True while the kernel takes them. */
static bool send_batch(struct sender *sender, unsigned int wanted)
{
	int taken;

	for (unsigned int i = 0; i < wanted; i++) {
		const struct probe_header header = {
			.magic = PROBE_MAGIC,
			.stream_id = sender->stream_id,
			.sequence = sender->sent + i,
			.sent_ns = monotonic_ns(),
		};

		probe_write(sender->payloads + i * sender->size, sender->size, &header);
	}
	taken = sendmmsg(sender->socket, sender->messages, wanted, 0);
	if (taken <= 0) {
		sender->errors++;
		sender->last_error = errno;
		return false;
	}
	sender->last_ns = monotonic_ns();
	if (!sender->sent)
		sender->first_ns = sender->last_ns;
	sender->sent += (uint64_t)taken;
	return true;
}

static void send_due(struct sender *sender)
{
	uint64_t due = slots_due(sender, monotonic_ns());
	uint64_t target = slots_used(sender) + due;

	while (slots_used(sender) < target) {
		uint64_t left = target - slots_used(sender);

		if (!send_batch(sender, left < BATCH ? (unsigned int)left : BATCH))
			break;
	}
}

static bool is_done(const struct sender *sender, uint64_t now)
{
	return sender->stopped || slots_used(sender) >= sender->count || now - sender->started_ns >= sender->seconds;
}

static void wait_for_command(struct sender *sender, uint64_t now)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	uint64_t wake = next_wake_ns(sender, now);
	uint64_t end = sender->seconds == NEVER ? NEVER : sender->started_ns + sender->seconds;
	uint64_t until = wake < end ? wake : end;
	uint64_t pause = until > now ? until - now : 0;
	struct timespec timeout = {(time_t)(pause / NS_PER_S), (long)(pause % NS_PER_S)};

	if (ppoll(&input, 1, until == NEVER ? NULL : &timeout, NULL) > 0 && !read_lines(&sender->lines, handle_command, sender))
		sender->stopped = true;
}

static void run(struct sender *sender)
{
	sender->started_ns = monotonic_ns();
	set_rate(sender, sender->rate);
	while (!is_done(sender, monotonic_ns())) {
		send_due(sender);
		if (is_done(sender, monotonic_ns()))
			break;
		wait_for_command(sender, monotonic_ns());
	}
}

static void open_socket(struct sender *sender)
{
	const struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = sender->source};
	const struct ip_mreqn out = {.imr_address = sender->source, .imr_ifindex = (int)sender->interface};
	const int off = 0;
	const int buffer_bytes = 4 << 20;

	sender->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sender->socket < 0)
		die("open UDP socket");
	if (bind(sender->socket, (const struct sockaddr *)&from, sizeof(from)) < 0)
		die("bind sender to %s", inet_ntoa(sender->source));
	if (setsockopt(sender->socket, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof(out)) < 0)
		die("set IP_MULTICAST_IF");
	if (setsockopt(sender->socket, IPPROTO_IP, IP_MULTICAST_TTL, &sender->ttl, sizeof(sender->ttl)) < 0)
		die("set IP_MULTICAST_TTL %d", sender->ttl);
	if (setsockopt(sender->socket, IPPROTO_IP, IP_MULTICAST_LOOP, &off, sizeof(off)) < 0)
		die("set IP_MULTICAST_LOOP");
	if (setsockopt(sender->socket, SOL_SOCKET, SO_SNDBUFFORCE, &buffer_bytes, sizeof(buffer_bytes)) < 0)
		die("set SO_SNDBUFFORCE");
}

static void prepare_messages(struct sender *sender)
{
	sender->payloads = calloc(BATCH, sender->size);
	if (!sender->payloads)
		die("allocate payloads");
	for (unsigned int i = 0; i < BATCH; i++) {
		sender->vectors[i] = (struct iovec){sender->payloads + i * sender->size, sender->size};
		sender->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &sender->to,
			.msg_namelen = sizeof(sender->to),
			.msg_iov = &sender->vectors[i],
			.msg_iovlen = 1,
		};
	}
}

static const struct option send_options[] = {
	{"group", required_argument, NULL, 'g'},
	{"port", required_argument, NULL, 'p'},
	{"source", required_argument, NULL, 's'},
	{"interface", required_argument, NULL, 'i'},
	{"rate", required_argument, NULL, 'r'},
	{"count", required_argument, NULL, 'c'},
	{"size", required_argument, NULL, 'z'},
	{"ttl", required_argument, NULL, 't'},
	{"seconds", required_argument, NULL, 'd'},
	{"stream-id", required_argument, NULL, 'n'},
	{0},
};

static void set_option(struct sender *sender, int option, const char *value)
{
	switch (option) {
	case 'g':
		sender->to.sin_addr = address_option("group", value);
		break;
	case 'p':
		sender->to.sin_port = htons((uint16_t)number_option("port", value, 1, 65535));
		break;
	case 's':
		sender->source = address_option("source", value);
		break;
	case 'i':
		sender->interface = interface_option("interface", value);
		break;
	case 'r':
		sender->rate = number_option("rate", value, 0, 100000000);
		break;
	case 'c':
		sender->count = number_option("count", value, 1, NEVER - 1);
		break;
	case 'z':
		sender->size = number_option("size", value, PROBE_MIN_BYTES, PROBE_MAX_BYTES);
		break;
	case 't':
		sender->ttl = (int)number_option("ttl", value, 1, 255);
		break;
	case 'd':
		sender->seconds = number_option("seconds", value, 1, 86400) * NS_PER_S;
		break;
	case 'n':
		sender->stream_id = (uint32_t)number_option("stream-id", value, 1, UINT32_MAX);
		break;
	default:
		exit(2);
	}
}

int send_main(int argc, char **argv)
{
	static struct sender sender = {
		.to = {.sin_family = AF_INET},
		.rate = 1000,
		.count = NEVER,
		.seconds = NEVER,
		.size = 1316,
		.ttl = 64,
		.stream_id = 1,
	};
	int option;

	while ((option = getopt_long(argc, argv, "", send_options, NULL)) != -1)
		set_option(&sender, option, optarg);
	errno = 0;
	if (!IN_MULTICAST(ntohl(sender.to.sin_addr.s_addr)) || !sender.to.sin_port || !sender.interface)
		die("send: --group (multicast), --port and --interface are required");
	open_socket(&sender);
	prepare_messages(&sender);
	/* The default slack of 50 us would show at 10,000 datagrams a second. */
	prctl(PR_SET_TIMERSLACK, 1);
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("{\"event\":\"ready\"}");
	run(&sender);
	print_state(&sender, "finished");
	return 0;
}
