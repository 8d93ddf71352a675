/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiver's parts: sockets (receive-sockets.c), its report (receive-report.c), options, commands and the loop
 * (receive.c).
 */
#ifndef XMTRAFFIC_RECEIVER_H
#define XMTRAFFIC_RECEIVER_H

#include "flow.h"
#include "kernel-counters.h"
#include "membership.h"
#include "tool.h"

#include <net/if.h>

struct receiver {
	char interface_name[IF_NAMESIZE];
	uint16_t port;
	bool watches_wire;

	/* The joined UDP socket is memberships.socket. */
	int wire_socket;
	struct membership_table memberships;
	struct flow_table flows;
	bool stopped;
	uint64_t corrupted;
	uint64_t wire_dropped;
	struct kernel_counters at_start;
	struct line_reader lines;
};

void receiver_open_sockets(struct receiver *receiver);

/* Takes in what both sockets hold now. */
void receiver_drain(struct receiver *receiver);

/* Prints one line with everything known. */
void receiver_report(struct receiver *receiver, const char *event);

#endif
