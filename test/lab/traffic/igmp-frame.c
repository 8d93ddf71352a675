// SPDX-License-Identifier: Apache-2.0
/* Membership messages as frames, see igmp-frame.h. */
#include "igmp-frame.h"
#include "tool.h"

#include <linux/igmp.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ALL_ROUTERS 0xe0000002u
/* RFC 3376 section 4.2.14. */
#define ALL_V3_ROUTERS 0xe0000016u
#define TOS_INTERNETWORK_CONTROL 0xc0

struct alerting_header {
	struct iphdr ip;
	/* RFC 2113. */
	uint8_t router_alert[4];
};

struct igmp_sender igmp_sender_on(const char *interface, struct in_addr address, int version)
{
	struct igmp_sender sender = {.address = address, .version = version};
	struct ifreq request = {0};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
	if (s < 0 || ioctl(s, SIOCGIFHWADDR, &request) < 0)
		die("MAC address of %s", interface);
	memcpy(sender.mac, request.ifr_hwaddr.sa_data, sizeof(sender.mac));
	close(s);
	return sender;
}

uint16_t internet_checksum(const void *bytes, size_t length)
{
	const uint8_t *at = bytes;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < length; i += 2) {
		uint16_t word;

		memcpy(&word, at + i, sizeof(word));
		sum += word;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void igmp_group_mac(uint8_t mac[ETHER_ADDR_LEN], uint32_t group)
{
	const uint8_t octets[ETHER_ADDR_LEN] = {0x01, 0x00, 0x5e, (group >> 16) & 0x7f, (group >> 8) & 0xff, group & 0xff};

	memcpy(mac, octets, sizeof(octets));
}

static size_t write_v2(uint8_t *at, enum igmp_change change, uint32_t group)
{
	struct igmphdr message = {
		.type = change == IGMP_LEAVE ? IGMP_HOST_LEAVE_MESSAGE : IGMPV2_HOST_MEMBERSHIP_REPORT,
		.group = htonl(group),
	};

	message.csum = internet_checksum(&message, sizeof(message));
	memcpy(at, &message, sizeof(message));
	return sizeof(message);
}

static size_t write_v3(uint8_t *at, enum igmp_change change, uint32_t first, size_t count)
{
	static const uint8_t record_types[] = {
		[IGMP_JOIN] = IGMPV3_CHANGE_TO_EXCLUDE,
		[IGMP_REFRESH] = IGMPV3_MODE_IS_EXCLUDE,
		[IGMP_LEAVE] = IGMPV3_CHANGE_TO_INCLUDE,
	};
	struct igmpv3_report header = {.type = IGMPV3_HOST_MEMBERSHIP_REPORT, .ngrec = htons((uint16_t)count)};
	size_t length = sizeof(header);

	memcpy(at, &header, sizeof(header));
	for (size_t i = 0; i < count; i++) {
		struct igmpv3_grec record = {.grec_type = record_types[change], .grec_mca = htonl(first + (uint32_t)i)};

		memcpy(at + length, &record, sizeof(record));
		length += sizeof(record);
	}
	header.csum = internet_checksum(at, length);
	memcpy(at, &header, sizeof(header));
	return length;
}

static uint32_t destination_of(const struct igmp_sender *sender, enum igmp_change change, uint32_t group)
{
	if (sender->version == 3)
		return ALL_V3_ROUTERS;
	return change == IGMP_LEAVE ? ALL_ROUTERS : group;
}

size_t igmp_write_frame(uint8_t *frame, const struct igmp_sender *sender, enum igmp_change change, uint32_t first, size_t count)
{
	uint32_t destination = destination_of(sender, change, first);
	struct ether_header ethernet = {.ether_type = htons(ETHERTYPE_IP)};
	struct alerting_header header = {
		.ip = {.version = 4,
		       .ihl = sizeof(header) / 4,
		       .tos = TOS_INTERNETWORK_CONTROL,
		       .ttl = 1,
		       .protocol = IPPROTO_IGMP},
		.router_alert = {IPOPT_RA, 4, 0, 0},
	};
	uint8_t *message = frame + sizeof(ethernet) + sizeof(header);
	size_t length = sender->version == 3 ? write_v3(message, change, first, count) : write_v2(message, change, first);

	igmp_group_mac(ethernet.ether_dhost, destination);
	memcpy(ethernet.ether_shost, sender->mac, sizeof(sender->mac));
	header.ip.tot_len = htons((uint16_t)(sizeof(header) + length));
	header.ip.frag_off = htons(IP_DF);
	header.ip.saddr = sender->address.s_addr;
	header.ip.daddr = htonl(destination);
	header.ip.check = internet_checksum(&header, sizeof(header));
	memcpy(frame, &ethernet, sizeof(ethernet));
	memcpy(frame + sizeof(ethernet), &header, sizeof(header));
	return sizeof(ethernet) + sizeof(header) + length;
}
