// SPDX-License-Identifier: Apache-2.0
/*
 * xmtraffic inject: sends Ethernet frames given as hexadecimal lines on stdin, byte for byte as they stand.
 * It checks nothing about them: broken frames are what it is for.
 */
#define _GNU_SOURCE
#include "tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct injector {
	int socket;
	struct sockaddr_ll to;
	struct line_reader lines;
};

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *found = c ? strchr(digits, c | 0x20) : NULL;

	return found ? (int)(found - digits) : -1;
}

/* In place: the bytes never outrun the digits. -1 when the text is not whole bytes of hexadecimal. */
static ssize_t decode_hex(char *text)
{
	size_t digits = strlen(text);

	if (digits % 2)
		return -1;
	for (size_t i = 0; i < digits / 2; i++) {
		int high = hex_digit(text[2 * i]);
		int low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		text[i] = (char)(high << 4 | low);
	}
	return (ssize_t)(digits / 2);
}

static void inject_line(char *line, void *context)
{
	struct injector *injector = context;
	ssize_t length = decode_hex(line);

	if (length < (ssize_t)sizeof(struct ethhdr))
		printf("{\"event\":\"answer\",\"error\":\"not a frame in hexadecimal\"}\n");
	else if (sendto(injector->socket, line, (size_t)length, 0, (struct sockaddr *)&injector->to, sizeof(injector->to)) < 0)
		printf("{\"event\":\"answer\",\"error\":\"send frame of %zd bytes: %s\"}\n", length, error_name(errno));
	else
		printf("{\"event\":\"answer\",\"bytes\":%zd}\n", length);
}

int inject_main(int argc, char **argv)
{
	static const struct option options[] = {{"interface", required_argument, NULL, 'i'}, {0}};
	static struct injector injector = {.to = {.sll_family = AF_PACKET}};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'i')
			return 2;
		injector.to.sll_ifindex = (int)interface_option("interface", optarg);
	}
	errno = 0;
	if (!injector.to.sll_ifindex)
		die("inject: --interface is required");
	/* Protocol 0: this socket only sends. */
	injector.socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (injector.socket < 0)
		die("open packet socket");
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("{\"event\":\"ready\"}");
	while (read_lines(&injector.lines, inject_line, &injector))
		;
	puts("{\"event\":\"finished\"}");
	return 0;
}
