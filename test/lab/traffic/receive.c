// SPDX-License-Identifier: Apache-2.0
/*
 * xmtraffic receive: joins groups through the kernel as any host does, and counts what arrives.
 * Commands: "join G [S]", "leave G [S]", "block G S", "unblock G S", "filter G include|exclude [S...]", "stats", "stop".
 */
#define _GNU_SOURCE
#include "receiver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_WORDS (MAX_FILTER_SOURCES + 4)
#define NOT_A_COMMAND (-1)

static const struct {
	const char *word;
	enum membership_request request;
} requests[] = {
	{"join", REQUEST_JOIN},
	{"leave", REQUEST_LEAVE},
	{"block", REQUEST_BLOCK},
	{"unblock", REQUEST_UNBLOCK},
};

static size_t split_words(char *line, char **words)
{
	size_t count = 0;
	char *rest;

	for (char *word = strtok_r(line, " ", &rest); word && count < MAX_WORDS; word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	return count;
}

/* filter G include|exclude [S...] */
static int run_filter(struct receiver *receiver, char **words, size_t count)
{
	struct in_addr group, sources[MAX_WORDS];

	if (count < 3 || !parse_address(words[1], &group))
		return NOT_A_COMMAND;
	for (size_t i = 3; i < count; i++) {
		if (!parse_address(words[i], &sources[i - 3]))
			return NOT_A_COMMAND;
	}
	return membership_replace_filter(&receiver->memberships, group,
					 strcmp(words[2], "include") == 0 ? FILTER_INCLUDE : FILTER_EXCLUDE, sources, count - 3);
}

/* join|leave|block|unblock G [S] */
static int run_request(struct receiver *receiver, char **words, size_t count)
{
	struct in_addr group, source;

	if (count < 2 || count > 3 || !parse_address(words[1], &group) || (count == 3 && !parse_address(words[2], &source)))
		return NOT_A_COMMAND;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (strcmp(words[0], requests[i].word) == 0)
			return membership_request(&receiver->memberships, requests[i].request, group,
						  count == 3 ? &source : NULL);
	}
	return NOT_A_COMMAND;
}

/* Returns 0, an errno, or NOT_A_COMMAND. */
static int run_membership_command(struct receiver *receiver, char *line)
{
	char *words[MAX_WORDS] = {NULL};
	size_t count = split_words(line, words);
	struct in_addr group;
	int error;

	if (count < 2)
		return NOT_A_COMMAND;
	error = strcmp(words[0], "filter") == 0 ? run_filter(receiver, words, count) : run_request(receiver, words, count);
	if (!error && parse_address(words[1], &group))
		flow_update_wishes(&receiver->flows, &receiver->memberships, group);
	return error;
}

static void handle_command(char *line, void *context)
{
	struct receiver *receiver = context;
	int error;

	/* What came before the command is judged by the memberships before it. */
	receiver_drain(receiver);
	if (strcmp(line, "stats") == 0) {
		receiver_report(receiver, "answer");
		return;
	}
	if (strcmp(line, "stop") == 0) {
		receiver->stopped = true;
		receiver_report(receiver, "answer");
		return;
	}
	error = run_membership_command(receiver, line);
	if (error == NOT_A_COMMAND)
		printf("{\"event\":\"answer\",\"error\":\"unknown command\"}\n");
	else if (error)
		printf("{\"event\":\"answer\",\"error\":\"%s\"}\n", error_name(error));
	else
		printf("{\"event\":\"answer\",\"atNs\":%lu}\n", monotonic_ns());
	fflush(stdout);
}

static void run(struct receiver *receiver)
{
	struct pollfd watched[] = {
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = receiver->memberships.socket, .events = POLLIN},
		{.fd = receiver->wire_socket, .events = POLLIN},
	};

	while (!receiver->stopped) {
		fflush(stdout);
		if (poll(watched, 3, -1) < 0 && errno != EINTR)
			die("poll");
		receiver_drain(receiver);
		if (watched[0].revents && !read_lines(&receiver->lines, handle_command, receiver))
			receiver->stopped = true;
	}
	receiver_report(receiver, "finished");
}

/* G or G@S */
static void join_at_start(struct receiver *receiver, char *text)
{
	char *at = strchr(text, '@');
	struct in_addr group, source;
	int error;

	if (at)
		*at = '\0';
	group = address_option("join", text);
	if (at)
		source = address_option("join", at + 1);
	error = membership_request(&receiver->memberships, REQUEST_JOIN, group, at ? &source : NULL);
	errno = error;
	if (error)
		die("join %s%s%s", text, at ? "@" : "", at ? at + 1 : "");
}

static const struct option receive_options[] = {
	{"interface", required_argument, NULL, 'i'},
	{"port", required_argument, NULL, 'p'},
	{"join", required_argument, NULL, 'j'},
	{"no-wire", no_argument, NULL, 'w'},
	{0},
};

static void set_option(struct receiver *receiver, int option, const char *value)
{
	switch (option) {
	case 'i':
		receiver->memberships.interface = interface_option("interface", value);
		snprintf(receiver->interface_name, sizeof(receiver->interface_name), "%s", value);
		break;
	case 'p':
		receiver->port = (uint16_t)number_option("port", value, 1, 65535);
		break;
	case 'w':
		receiver->watches_wire = false;
		break;
	default:
		exit(2);
	}
}

int receive_main(int argc, char **argv)
{
	static struct receiver receiver = {.watches_wire = true};
	char **joins = calloc((size_t)argc, sizeof(*joins));
	size_t join_count = 0;
	int option;

	while ((option = getopt_long(argc, argv, "", receive_options, NULL)) != -1) {
		if (option == 'j')
			joins[join_count++] = optarg;
		else
			set_option(&receiver, option, optarg);
	}
	errno = 0;
	if (!receiver.memberships.interface || !receiver.port)
		die("receive: --interface and --port are required");
	receiver_open_sockets(&receiver);
	receiver.at_start = kernel_counters_read(receiver.interface_name);
	for (size_t i = 0; i < join_count; i++)
		join_at_start(&receiver, joins[i]);
	free(joins);
	puts("{\"event\":\"ready\"}");
	run(&receiver);
	return 0;
}
