// SPDX-License-Identifier: Apache-2.0
/*
 * The receiver's two sockets: the UDP socket that joins as any host program does, and a packet socket that sees every frame to
 * the same port on the interface. Reads both and hands arrivals to the flows.
 */
#define _GNU_SOURCE
#include "probe.h"
#include "receiver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 32
/* So many batches at once at most, that commands are answered under any load. */
#define MAX_BATCHES 256
#define CONTROL_BYTES 256
/* The longest IPv4 header, the UDP header and the probe header. */
#define WIRE_BYTES (60 + 8 + (int)sizeof(struct probe_header))
#define RECEIVE_BUFFER_BYTES (64 << 20)
#define IP_UDP_HEADER_BYTES 28

struct packet_batch {
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH];
	struct sockaddr_in from[BATCH];
	char control[BATCH][CONTROL_BYTES];
	size_t space;
	uint8_t *bytes;
};

static uint8_t datagram_bytes[BATCH][65536];
static uint8_t wire_bytes[BATCH][WIRE_BYTES];
static struct packet_batch datagrams = {.space = sizeof(datagram_bytes[0]), .bytes = datagram_bytes[0]};
static struct packet_batch wire_frames = {.space = sizeof(wire_bytes[0]), .bytes = wire_bytes[0]};

static void set_socket_option(int socket, int level, int option, int value, const char *name)
{
	if (setsockopt(socket, level, option, &value, sizeof(value)) < 0)
		die("set %s", name);
}

static void set_common_options(int socket)
{
	set_socket_option(socket, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES, "SO_RCVBUFFORCE");
	set_socket_option(socket, SOL_SOCKET, SO_TIMESTAMPNS, 1, "SO_TIMESTAMPNS");
}

static int open_datagram_socket(uint16_t port)
{
	const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (s < 0)
		die("open UDP socket");
	set_common_options(s);
	set_socket_option(s, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
	/* Only groups joined by this socket, not all that the host has joined. */
	set_socket_option(s, IPPROTO_IP, IP_MULTICAST_ALL, 0, "IP_MULTICAST_ALL");
	set_socket_option(s, IPPROTO_IP, IP_RECVTTL, 1, "IP_RECVTTL");
	set_socket_option(s, IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO");
	if (bind(s, (const struct sockaddr *)&any, sizeof(any)) < 0)
		die("bind to UDP port %u", port);
	return s;
}

/* Passes unfragmented UDP to a multicast group and the port, cut to WIRE_BYTES. Offset 0 is the IPv4 header. */
static void attach_wire_filter(int socket, uint16_t port)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 9),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 16),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xe0, 0, 6),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 4, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, WIRE_BYTES),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	if (setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		die("attach filter to packet socket");
}

static int open_wire_socket(unsigned int interface, uint16_t port)
{
	const struct sockaddr_ll on = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = (int)interface,
	};
	/* Protocol 0 until the filter stands, so that nothing else slips in. */
	int s = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (s < 0)
		die("open packet socket");
	set_common_options(s);
	set_socket_option(s, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING");
	attach_wire_filter(s, port);
	if (bind(s, (const struct sockaddr *)&on, sizeof(on)) < 0)
		die("bind packet socket");
	return s;
}

static struct in_addr interface_address(int socket, const char *name)
{
	struct ifreq request = {0};

	memcpy(request.ifr_name, name, IF_NAMESIZE);
	if (ioctl(socket, SIOCGIFADDR, &request) < 0)
		die("address of interface %s", name);
	return ((struct sockaddr_in *)&request.ifr_addr)->sin_addr;
}

static void prepare_batch(struct packet_batch *batch)
{
	for (int i = 0; i < BATCH; i++) {
		batch->vectors[i] = (struct iovec){batch->bytes + (size_t)i * batch->space, batch->space};
		batch->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &batch->from[i],
			.msg_iov = &batch->vectors[i],
			.msg_iovlen = 1,
			.msg_control = batch->control[i],
		};
	}
}

void receiver_open_sockets(struct receiver *receiver)
{
	receiver->memberships.socket = open_datagram_socket(receiver->port);
	receiver->memberships.local = interface_address(receiver->memberships.socket, receiver->interface_name);
	receiver->wire_socket = receiver->watches_wire ? open_wire_socket(receiver->memberships.interface, receiver->port) : -1;
	prepare_batch(&datagrams);
	prepare_batch(&wire_frames);
}

static int read_batch(int socket, struct packet_batch *batch)
{
	int count;

	for (int i = 0; i < BATCH; i++) {
		batch->messages[i].msg_hdr.msg_namelen = sizeof(batch->from[i]);
		batch->messages[i].msg_hdr.msg_controllen = CONTROL_BYTES;
	}
	count = recvmmsg(socket, batch->messages, BATCH, MSG_DONTWAIT, NULL);
	if (count < 0 && errno != EAGAIN && errno != EINTR && errno != ENETDOWN)
		die("receive");
	return count;
}

/* TTL, group and time of arrival from what the kernel says beside the packet. */
static void read_control(struct msghdr *message, int64_t clock_offset_ns, struct arrival *arrival)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec stamp;

			memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
			arrival->received_ns =
				(uint64_t)((int64_t)stamp.tv_sec * (int64_t)NS_PER_S + stamp.tv_nsec + clock_offset_ns);
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) {
			memcpy(&arrival->ttl, CMSG_DATA(c), sizeof(arrival->ttl));
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			arrival->key.group = info.ipi_addr;
		}
	}
}

static void take_probe(const struct probe_header *header, struct arrival *arrival)
{
	arrival->key.stream_id = header->stream_id;
	arrival->sequence = header->sequence;
	arrival->sent_ns = header->sent_ns;
}

static void count_datagram(struct receiver *receiver, struct packet_batch *batch, int at, int64_t clock_offset_ns)
{
	struct arrival arrival = {.key.source = batch->from[at].sin_addr};
	const uint8_t *payload = batch->vectors[at].iov_base;
	size_t length = batch->messages[at].msg_len;
	struct probe_header header;
	bool is_probe = probe_read_header(payload, length, &header);
	struct flow *flow;

	read_control(&batch->messages[at].msg_hdr, clock_offset_ns, &arrival);
	arrival.ip_bytes = length + IP_UDP_HEADER_BYTES;
	if (is_probe)
		take_probe(&header, &arrival);
	flow = flow_get(&receiver->flows, &arrival.key, &receiver->memberships);
	if (is_probe && probe_is_intact(payload, length, &header)) {
		flow_receive(flow, &arrival);
		return;
	}
	flow->corrupted++;
	receiver->corrupted++;
}

static void count_wire_frame(struct receiver *receiver, struct packet_batch *batch, int at, int64_t clock_offset_ns)
{
	const uint8_t *packet = batch->vectors[at].iov_base;
	size_t length = batch->messages[at].msg_len;
	struct probe_header header;
	struct arrival arrival = {0};
	struct iphdr ip;
	size_t payload_at;

	if (length < sizeof(ip) + sizeof(struct udphdr))
		return;
	memcpy(&ip, packet, sizeof(ip));
	payload_at = ip.ihl * 4u + sizeof(struct udphdr);
	arrival.key.source.s_addr = ip.saddr;
	arrival.key.group.s_addr = ip.daddr;
	read_control(&batch->messages[at].msg_hdr, clock_offset_ns, &arrival);
	if (payload_at < length && probe_read_header(packet + payload_at, length - payload_at, &header))
		take_probe(&header, &arrival);
	flow_see_on_wire(flow_get(&receiver->flows, &arrival.key, &receiver->memberships), &arrival);
}

void receiver_drain(struct receiver *receiver)
{
	int64_t clock_offset_ns = realtime_to_monotonic_ns();
	int count = BATCH;

	for (int n = 0; n < MAX_BATCHES && count == BATCH; n++) {
		count = read_batch(receiver->memberships.socket, &datagrams);
		for (int i = 0; i < count; i++)
			count_datagram(receiver, &datagrams, i, clock_offset_ns);
	}
	count = receiver->watches_wire ? BATCH : 0;
	for (int n = 0; n < MAX_BATCHES && count == BATCH; n++) {
		count = read_batch(receiver->wire_socket, &wire_frames);
		for (int i = 0; i < count; i++)
			count_wire_frame(receiver, &wire_frames, i, clock_offset_ns);
	}
}
