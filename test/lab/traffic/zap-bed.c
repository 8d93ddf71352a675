// SPDX-License-Identifier: Apache-2.0
/* Stream and ears of zap, see zap-bed.h. */
#define _GNU_SOURCE
#include "zap-bed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STREAM_TTL 64
#define RECEIVE_BUFFER_BYTES (16 << 20)

struct stream_frame {
	struct ether_header ethernet;
	struct iphdr ip;
	struct udphdr udp;
	uint32_t sequence;
	uint8_t padding[18];
} __attribute__((packed));

static int enter(const char *netns)
{
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int target = netns ? open(netns, O_RDONLY | O_CLOEXEC) : -1;

	if (own < 0 || (netns && (target < 0 || setns(target, CLONE_NEWNET) < 0)))
		die("enter %s", netns ? netns : "own namespace");
	if (target >= 0)
		close(target);
	return own;
}

static void leave_for(int own)
{
	if (setns(own, CLONE_NEWNET) < 0)
		die("return to own namespace");
	close(own);
}

/* Protocol 0 until everything stands: so nothing else slips in. */
static int open_packet_socket(const char *interface, uint16_t protocol)
{
	const struct sockaddr_ll on = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = (int)interface_option("interface", interface),
	};
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETH_HLEN + offsetof(struct iphdr, protocol)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, sizeof(struct stream_frame)),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
	const int one = 1, space = RECEIVE_BUFFER_BYTES;
	int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
	    setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &space, sizeof(space)) < 0 ||
	    setsockopt(s, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)) < 0 ||
	    setsockopt(s, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
	    bind(s, (const struct sockaddr *)&on, sizeof(on)) < 0)
		die("open packet socket on %s", interface);
	return s;
}

void bed_open_source(struct zap_bed *bed, const struct place *place)
{
	int own = enter(place->netns);

	bed->source_socket = open_packet_socket(place->interface, 0);
	bed->source_address = place->address;
	memcpy(bed->source_mac, igmp_sender_on(place->interface, place->address, 3).mac, sizeof(bed->source_mac));
	leave_for(own);
}

void bed_open_ear(struct ear *ear, const struct place *place, int version)
{
	int own = enter(place->netns);

	ear->socket = open_packet_socket(place->interface, ETH_P_IP);
	ear->sender = igmp_sender_on(place->interface, place->address, version);
	leave_for(own);
}

uint64_t ear_say(const struct ear *ear, enum igmp_change change, uint32_t group)
{
	uint8_t frame[IGMP_FRAME_BYTES];
	size_t length = igmp_write_frame(frame, &ear->sender, change, group, 1);
	uint64_t now = monotonic_ns();

	if (send(ear->socket, frame, length, 0) < 0)
		die("send report");
	return now;
}

void bed_begin_stream(struct zap_bed *bed, uint32_t first, uint32_t count, uint64_t rate)
{
	bed->stream = (struct stream){.first = first, .count = count, .interval_ns = NS_PER_S / rate};
	memset(bed->host.groups, 0, count * sizeof(*bed->host.groups));
	memset(bed->other.groups, 0, count * sizeof(*bed->other.groups));
}

static void send_next(struct zap_bed *bed, uint64_t now)
{
	struct stream *stream = &bed->stream;
	uint32_t group = stream->first + stream->sent % stream->count;
	struct stream_frame frame = {
		.ethernet.ether_type = htons(ETHERTYPE_IP),
		.ip = {.version = 4, .ihl = sizeof(struct iphdr) / 4, .ttl = STREAM_TTL, .protocol = IPPROTO_UDP},
		/* No checksum: RFC 768. */
		.udp = {.source = htons(bed->port), .dest = htons(bed->port)},
		.sequence = stream->sent / stream->count,
	};
	struct iphdr ip = frame.ip;

	ip.tot_len = htons(sizeof(frame) - sizeof(frame.ethernet));
	ip.saddr = bed->source_address.s_addr;
	ip.daddr = htonl(group);
	ip.check = internet_checksum(&ip, sizeof(ip));
	frame.ip = ip;
	frame.udp.len = htons(sizeof(frame) - sizeof(frame.ethernet) - sizeof(frame.ip));
	igmp_group_mac(frame.ethernet.ether_dhost, group);
	memcpy(frame.ethernet.ether_shost, bed->source_mac, sizeof(bed->source_mac));
	if (!stream->sent)
		stream->started_ns = now;
	if (send(bed->source_socket, &frame, sizeof(frame), 0) < 0 && errno != ENOBUFS)
		die("send stream");
	stream->sent++;
	/* What could not be sent in time is not made up for: a burst would be another stream. */
	stream->next_ns = now + stream->interval_ns;
}

static uint64_t stamp_of(struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec stamp;

			memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
			return (uint64_t)((int64_t)stamp.tv_sec * (int64_t)NS_PER_S + stamp.tv_nsec + realtime_to_monotonic_ns());
		}
	}
	return monotonic_ns();
}

static void note(struct ear *ear, const struct stream *stream, const struct stream_frame *frame, uint64_t at_ns)
{
	uint32_t number = ntohl(frame->ip.daddr) - stream->first;
	struct heard *heard;

	if (number >= stream->count)
		return;
	heard = &ear->groups[number];
	if (!heard->first_ns) {
		heard->first_ns = at_ns;
		heard->first_sequence = frame->sequence;
	}
	heard->last_ns = at_ns;
}

static void listen_to(struct ear *ear, const struct stream *stream)
{
	struct stream_frame frame;
	char control[256];

	for (;;) {
		struct iovec space = {&frame, sizeof(frame)};
		struct msghdr message = {
			.msg_iov = &space, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};

		if (recvmsg(ear->socket, &message, MSG_DONTWAIT) != sizeof(frame))
			return;
		note(ear, stream, &frame, stamp_of(&message));
	}
}

bool bed_run(struct zap_bed *bed, bed_condition condition, uint64_t until_ns)
{
	struct pollfd ears[] = {{.fd = bed->host.socket, .events = POLLIN}, {.fd = bed->other.socket, .events = POLLIN}};
	uint64_t now = monotonic_ns();

	for (; now < until_ns; now = monotonic_ns()) {
		struct timespec wait = {0};
		uint64_t next = bed->stream.count && bed->stream.next_ns < until_ns ? bed->stream.next_ns : until_ns;

		if (bed->stream.count && now >= bed->stream.next_ns) {
			send_next(bed, now);
		} else {
			wait = (struct timespec){(time_t)((next - now) / NS_PER_S), (long)((next - now) % NS_PER_S)};
			ppoll(ears, 2, &wait, NULL);
		}
		listen_to(&bed->host, &bed->stream);
		listen_to(&bed->other, &bed->stream);
		if (condition && condition(bed))
			return true;
	}
	return false;
}
