// SPDX-License-Identifier: Apache-2.0
/* The receiver's statistics as one line of JSON. Names and meaning of the fields: test/lab/receiver.ts. */
#include "receiver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void print_address(const char *name, struct in_addr address)
{
	char text[INET_ADDRSTRLEN];

	printf("\"%s\":\"%s\",", name, inet_ntop(AF_INET, &address, text, sizeof(text)));
}

static void print_number(const char *name, uint64_t value)
{
	printf("\"%s\":%lu,", name, value);
}

/* null where there is nothing to tell, which 0 would hide. */
static void print_number_if(const char *name, bool known, int64_t value)
{
	if (known)
		printf("\"%s\":%ld,", name, value);
	else
		printf("\"%s\":null,", name);
}

static void print_ms_if(const char *name, bool known, uint64_t ns)
{
	if (known)
		printf("\"%s\":%.3f,", name, (double)ns / (double)NS_PER_MS);
	else
		printf("\"%s\":null,", name);
}

static void print_host_view(const struct flow *flow)
{
	bool any = flow->received > 0;

	print_number("received", flow->received);
	print_number("lost", flow_lost(flow));
	print_number("duplicated", flow->duplicated);
	print_number("reordered", flow->reordered);
	print_number("corrupted", flow->corrupted);
	print_number("tooOld", flow->too_old);
	print_number("passedBy", flow->passed_by);
	print_number("bytes", flow->bytes);
	print_number_if("firstSequence", any, (int64_t)flow->first_sequence);
	print_number_if("lastSequence", any, (int64_t)flow->last_sequence);
	print_number_if("ttlMin", any, flow->ttl_min);
	print_number_if("ttlMax", any, flow->ttl_max);
	print_ms_if("joinToFirstPacketMs", flow->has_join_latency, flow->join_latency_ns);
	print_number("maxGapNs", flow->max_gap_ns);
	print_number_if("latencyMinNs", any, flow->latency_min_ns);
	print_number_if("latencyMaxNs", any, flow->latency_max_ns);
	print_number_if("latencyAverageNs", any, any ? flow->latency_sum_ns / (int64_t)flow->received : 0);
}

static void print_flow(const struct flow *flow)
{
	putchar('{');
	print_number("streamId", flow->key.stream_id);
	print_address("source", flow->key.source);
	print_address("group", flow->key.group);
	print_host_view(flow);
	print_number("onWire", flow->wire);
	print_number("unwanted", flow->unwanted);
	print_number("afterLeave", flow->after_leave);
	print_ms_if("afterLeaveLastMs", flow->after_leave > 0, flow->after_leave_last_ns);
	printf("\"wanted\":%s}", flow->wish.wanted ? "true" : "false");
}

static void print_flows(const struct flow_table *table)
{
	const char *separator = "";

	for (size_t i = 0; i < FLOW_BUCKETS; i++) {
		for (const struct flow *flow = table->buckets[i]; flow; flow = flow->next) {
			fputs(separator, stdout);
			print_flow(flow);
			separator = ",";
		}
	}
}

/* Reading PACKET_STATISTICS resets it, so the sum is kept here. */
static void add_wire_dropped(struct receiver *receiver)
{
	struct tpacket_stats stats = {0};
	socklen_t length = sizeof(stats);

	if (!receiver->watches_wire)
		return;
	if (getsockopt(receiver->wire_socket, SOL_PACKET, PACKET_STATISTICS, &stats, &length) < 0)
		die("read PACKET_STATISTICS");
	receiver->wire_dropped += stats.tp_drops;
}

void receiver_report(struct receiver *receiver, const char *event)
{
	struct kernel_counters now = kernel_counters_read(receiver->interface_name);

	add_wire_dropped(receiver);
	printf("{\"event\":\"%s\",", event);
	print_number("corrupted", receiver->corrupted);
	print_number("kernelDropped", socket_dropped(receiver->memberships.socket));
	print_number("wireDropped", receiver->wire_dropped);
	print_number("checksumErrors", now.udp_checksum_errors - receiver->at_start.udp_checksum_errors);
	print_number("interfaceDropped", now.interface_dropped - receiver->at_start.interface_dropped);
	printf("\"flows\":[");
	print_flows(&receiver->flows);
	printf("]}\n");
}
