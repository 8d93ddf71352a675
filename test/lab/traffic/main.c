// SPDX-License-Identifier: Apache-2.0
/*
 * xmtraffic: multicast traffic of the lab. Sends numbered datagrams, receives them as a real kernel host, injects hand-made
 * frames, and sets up the kernel's own forwarder. Joining and leaving is what the kernel does for a socket, except where a
 * benchmark needs more groups or better clocks than a kernel host has (report, zap).
 */
#include "tool.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"send", send_main},	 {"receive", receive_main}, {"inject", inject_main},
	{"mroute", mroute_main}, {"report", report_main},   {"zap", zap_main},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	fputs("usage: xmtraffic send|receive|inject|mroute|report|zap [options]\n", stderr);
	return 2;
}
