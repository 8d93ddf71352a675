// SPDX-License-Identifier: Apache-2.0
/* Counters of the network namespace under /proc/net, see kernel-counters.h. */
#include "kernel-counters.h"
#include "tool.h"

#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static FILE *open_or_die(const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		die("open %s", path);
	return file;
}

/* /proc/net/snmp has two lines per protocol: the names, then the values. */
static uint64_t udp_counter(const char *wanted)
{
	FILE *file = open_or_die("/proc/net/snmp");
	char names[1024], values[1024];
	uint64_t found = 0;

	while (fgets(names, sizeof(names), file) && fgets(values, sizeof(values), file)) {
		char *name_rest, *value_rest;
		char *name = strtok_r(names, " \n", &name_rest);
		char *value = strtok_r(values, " \n", &value_rest);

		if (!name || strcmp(name, "Udp:") != 0)
			continue;
		while (name && value && strcmp(name, wanted) != 0) {
			name = strtok_r(NULL, " \n", &name_rest);
			value = strtok_r(NULL, " \n", &value_rest);
		}
		if (name && value)
			found = strtoull(value, NULL, 10);
		break;
	}
	fclose(file);
	return found;
}

/* /proc/net/dev: "name: bytes packets errs drop ..." */
static uint64_t receive_dropped(const char *interface_name)
{
	FILE *file = open_or_die("/proc/net/dev");
	char line[512], name[64];
	unsigned long dropped = 0, value;

	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, " %63[^:]: %*u %*u %*u %lu", name, &value) == 2 && strcmp(name, interface_name) == 0)
			dropped = value;
	}
	fclose(file);
	return dropped;
}

struct kernel_counters kernel_counters_read(const char *interface_name)
{
	return (struct kernel_counters){
		.udp_checksum_errors = udp_counter("InCsumErrors"),
		.interface_dropped = receive_dropped(interface_name),
	};
}

uint64_t socket_dropped(int socket)
{
	uint32_t meminfo[SK_MEMINFO_VARS] = {0};
	socklen_t length = sizeof(meminfo);

	if (getsockopt(socket, SOL_SOCKET, SO_MEMINFO, meminfo, &length) < 0)
		die("read SO_MEMINFO");
	return meminfo[SK_MEMINFO_DROPS];
}
