/* SPDX-License-Identifier: Apache-2.0 */
/* Losses inside the receiving host itself, which must never be blamed on the router under test. */
#ifndef XMTRAFFIC_KERNEL_COUNTERS_H
#define XMTRAFFIC_KERNEL_COUNTERS_H

#include <stdint.h>

struct kernel_counters {
	/* UDP datagrams the host dropped for a bad checksum, all sockets of the namespace. */
	uint64_t udp_checksum_errors;
	/* Frames the interface dropped on receive, e.g. for a full veth ring. */
	uint64_t interface_dropped;
};

struct kernel_counters kernel_counters_read(const char *interface_name);

/* Datagrams dropped because the socket's receive buffer was full. */
uint64_t socket_dropped(int socket);

#endif
