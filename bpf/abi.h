/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What the programs and the controller share: every struct that crosses a map or the ring buffer, and the lists of reasons.
 * The only declaration of them: TypeScript reads names, offsets and sizes from the BTF of the object at load and refuses to start
 * when something it needs is missing. Byte order is the host's unless a comment says otherwise. Padding is explicit.
 */
#ifndef XMCAST_ABI_H
#define XMCAST_ABI_H

#include <linux/types.h>

/* Changes whenever the layout or the meaning of a map does. Checked against what is pinned. */
enum xm_abi { XM_ABI_VERSION = 7 };

enum xm_limits {
	/* A vport is an index into xm_vports; 0 is never used, so that zeroed memory names no port. */
	XM_MAX_VPORTS = 1025,
	/* Bytes of a punted packet that reach the controller: an untagged 1500-byte frame and some slack. */
	XM_PUNT_BYTES = 1536,
	/* An IGMPv1 or v2 message, an IGMPv3 report of ten groups. */
	XM_PUNT_SMALL_BYTES = 128,
	/* Enough for Ethernet, IPv4 and UDP headers of a packet that only announces itself. */
	XM_PUNT_HEADER_BYTES = 64,
	/*
	 * A cloned frame must fit a page beside headroom and skb_shared_info; larger ones overrun it on kernels before 6.18.45
	 * (CVE-2026-74616).
	 */
	XM_MAX_BROADCAST_FRAME = 3400,
	/* Interfaces with an index below this are found without hashing. */
	XM_FAST_PORTS = 4096,
	/* A power of two. The controller refuses a machine that may have more. */
	XM_MAX_CPUS = 1024,
	/* DEV_MAP_BULK_SIZE: the kernel hands copies to a driver in batches of at most so many. */
	XM_BATCH_SIZE = 16,
};

/* Why a data packet, or one copy of it, went no further. Lower-cased after the prefix, these are the labels people see. */
enum xm_drop_reason {
	XM_DROP_NO_ROUTE, /* neither (S,G) nor (*,G) */
	XM_DROP_WRONG_INTERFACE, /* not the route's incoming interface */
	XM_DROP_NO_RECEIVERS, /* a route without outgoing interfaces: all of them exclude the source */
	XM_DROP_TTL_IN, /* TTL below the threshold of the incoming interface, or nothing left to decrement */
	XM_DROP_TTL_OUT, /* TTL not above the threshold of the outgoing interface */
	XM_DROP_TRUNCATED, /* the frame is shorter than the IP header says */
	XM_DROP_BAD_IP_HEADER, /* version, header length or total length */
	XM_DROP_BAD_CHECKSUM, /* IP header checksum */
	XM_DROP_MARTIAN_SOURCE, /* 0/8, 127/8, class D or E as source (RFC 1812 5.3.7) */
	XM_DROP_MAC_MISMATCH, /* Ethernet destination is not the group's (RFC 1112 6.4) */
	XM_DROP_IP_OPTIONS, /* that ask for a way, or a record of it: left to the host's stack, which does not forward it */
	XM_DROP_STACKED_TAG, /* behind more than one VLAN tag, or one of a provider (802.1ad): left to the host's stack */
	XM_DROP_TOO_BIG, /* larger than the outgoing MTU */
	XM_DROP_NO_GROUP, /* the route names a replication group that is not there */
	XM_DROP_NO_METADATA, /* the driver leaves no room in front of the packet */
	XM_DROP_REDIRECT, /* the kernel could not replicate the packet, at least not to every port */
	XM_DROP_XMIT, /* the driver or its queue did not take the copy: full, link gone, peer not listening */
	XM_DROP_MAX,
};

/* What is copied to the controller. Each class has a policer of its own. */
enum xm_punt_class {
	XM_PUNT_IGMP_REPORT, /* reports and leaves, and IGMP of types we do not know */
	XM_PUNT_IGMP_QUERY,
	XM_PUNT_PIM,
	XM_PUNT_NEW_SOURCE, /* forwarded by (*,G), no (S,G) yet */
	XM_PUNT_NO_ROUTE, /* carries the packet: the controller sends it on when it should have been forwarded */
	XM_PUNT_WRONG_INTERFACE,
	XM_PUNT_MAX,
};

/* How a frame reaches a vport. */
struct xm_port_key {
	__u32 ifindex;
	__u16 vlan; /* 0: untagged */
	__u16 pad;
};

/* What the ingress programs need to know of a port. */
struct xm_port {
	__u16 vport; /* 0: no port of ours */
	__u8 ttl_minimum; /* of what is forwarded: the port's threshold, and at least 2, so that something is left to decrement */
	__u8 has_xdp; /* not 0: xm_ingress sits in front of xm_tc_ingress, and has seen to all but data by the time that runs */
};

/* What the egress program needs to know of a port. */
struct xm_vport {
	__u32 ifindex;
	__u16 mtu; /* bytes of IP */
	__u8 ttl_threshold;
	__u8 pad;
	__u8 mac[6];
	__u16 vlan; /* 0: copies leave untagged */
};

/* What the controller has changed of a device, and changes back when none of its ports is one any more. */
enum xm_undo {
	XM_UNDO_ALLMULTI = 1, /* IFF_ALLMULTI was off */
	XM_UNDO_LRO = 2, /* receive offloads that were on */
	XM_UNDO_GRO_HW = 4,
	XM_UNDO_VLAN_STRIP = 8, /* took tags off what it received */
	XM_UNDO_VLAN_FILTER = 16, /* let in only VLANs the kernel had interfaces for */
	XM_UNDO_PROMISC = 32, /* IFF_PROMISC was off */
};

/* What the next controller needs to know of a port, by vport. No program reads it. */
struct xm_port_record {
	__u32 ifindex; /* 0: no port */
	__u32 undo; /* enum xm_undo; of the device, the same for all of its ports */
	__u16 vlan; /* 0: its untagged frames */
	__u16 pad;
	char name[16]; /* of the device */
};

struct xm_route_key {
	__be32 source; /* 0: (*,G) */
	__be32 group;
};

/* Keys of longest-prefix tables: the first member counts bits. */
struct xm_group_prefix {
	__u32 prefix_length; /* 0 to 32 */
	__be32 group;
};

struct xm_source_prefix {
	__u32 prefix_length; /* 32 + 0 to 32: the set is matched whole */
	__u32 set;
	__be32 source;
};

enum xm_route_iif {
	/* No fixed incoming interface: every packet is a question to the controller. */
	XM_IIF_NONE = 0,
};

/* Widths of what a route is packed into; the sum of each pair of lines fills a word. */
enum xm_route_bits {
	XM_ROUTE_COUNTER_BITS = 21, /* limits.routes and those that rest */
	XM_ROUTE_IIF_BITS = 11,
	XM_ROUTE_GROUP_BITS = 17, /* limits.replication_groups and those that rest */
	XM_ROUTE_COPIES_BITS = 10, /* at most all vports but the incoming one */
};

enum xm_route_flag {
	/* A (*,G) route: what it forwards is announced as a new source. */
	XM_ROUTE_LEARN = 1,
	/* Has a TTL threshold of its own, in xm_route_thresholds. */
	XM_ROUTE_THRESHOLD = 2,
	/* XDP cannot serve all of its copies: its packets are left to xm_tc_ingress, which can. */
	XM_ROUTE_TC = 4,
	/* The machine's own applications get its packets on the interfaces of xm_members. Only together with XM_ROUTE_TC. */
	XM_ROUTE_LOCAL = 8,
	/* Some of its outgoing ports are VLANs: xm_slot_ports tells which port a copy is for, its device alone does not. */
	XM_ROUTE_TRUNK = 16,
};

/*
 * Eight bytes: with the key and the kernel's own 48 bytes a route is one cache line, and in a full table each line is a trip to
 * memory.
 */
struct xm_route {
	__u32 flow; /* low bits: index into xm_route_stats; above: incoming vport, or XM_IIF_NONE */
	__u32 out; /* low bits: index into xm_groups; then slots of it in use, 0: drop; then enum xm_route_flag */
};

/*
 * Where most routes are found first: one cache line holds the routes of one hash value, if there are no more than fit. A key of
 * zeroes is no route. The controller writes each word at once, a route before its key, and leaves a slot alone for a second after
 * it has cleared the key.
 */
enum xm_route_index {
	XM_INDEX_SLOTS = 4,
	/* Of the hash, see index_hash(). */
	XM_INDEX_FIRST_FACTOR = 0x9e3779b1,
	XM_INDEX_SECOND_FACTOR = 0x85ebca77,
	XM_INDEX_FOLD = 15,
};

struct xm_route_bucket {
	struct xm_route_key keys[XM_INDEX_SLOTS];
	struct xm_route routes[XM_INDEX_SLOTS];
};

/*
 * Per CPU, and one cache line. Bytes are those of the IP total length. At rest
 *   expected = sent + failed + dropped + skipped
 * where skipped, the copies the kernel left out without a word (port down, without XDP transmit, MTU), is what is missing.
 */
struct xm_route_counters {
	__u64 packets; /* accepted on the incoming interface */
	__u64 bytes;
	__u64 expected; /* copies the route asks for */
	__u64 sent; /* copies taken by the drivers of the outgoing interfaces */
	__u64 sent_bytes;
	__u64 failed; /* copies not taken */
	__u64 dropped; /* copies stopped by the egress program: TTL, MTU */
	__u64 wrong_interface;
};

/* What a route seldom counts, of all CPUs together: it takes no room in the line above. */
struct xm_route_faults {
	__u64 redirect_errors; /* packets that could not be replicated to every port */
	__u64 ttl_drops; /* packets and copies */
};

/* Per CPU. What the kernel has not cut into packets yet (GSO) counts as the packets it is cut into. */
struct xm_vport_counters {
	__u64 rx_packets; /* multicast data packets, also those dropped later */
	__u64 rx_bytes;
	__u64 resent_packets; /* packets the controller had been asked about and sent on */
	__u64 originated_packets; /* multicast data packets the machine itself sent out here, as if they had come in */
	/* By a route: rx + resent + originated = accepted + drops before a route took them + punts of class no_route. */
	__u64 accepted_packets;
	__u64 tx_packets; /* copies taken by the driver */
	__u64 tx_bytes;
	__u64 drops[XM_DROP_MAX];
	__u64 punts[XM_PUNT_MAX];
	__u64 punts_policed[XM_PUNT_MAX];
	__u64 punts_lost[XM_PUNT_MAX]; /* the ring buffer was full */
};

/*
 * A stream that has no (S,G) route. Least recently used entries make room, so strangers cannot fill the table. It keeps the
 * controller from hearing of every packet, and the counts of what (*,G) forwarded until (S,G) is there.
 */
struct xm_recent_key {
	__be32 source;
	__be32 group;
	__u16 vport;
	__u16 class; /* enum xm_punt_class */
};

struct xm_recent {
	__u64 last_punt_ns;
	__u64 packets; /* forwarded by (*,G); of class no_route: lost since the last one that went to the controller */
	__u64 bytes;
	__u64 expected;
	__u64 sent;
	__u64 sent_bytes;
	__u64 failed;
	__u64 dropped;
};

/* Token bucket in units of time: a packet costs cost_ns of credit. */
struct xm_policer_config {
	__u64 cost_ns;
	__u64 burst_ns;
};

/*
 * In front of a packet on its way from the ingress to the egress program: all that is to be known of it there, so that a copy is
 * counted without reading its header.
 */
struct xm_meta {
	__u32 flow; /* as in xm_route; the vport only when the copies are also counted by source, else 0 */
	__u16 bytes; /* IP total length */
	__u8 ttl; /* as received */
	__u8 trunk; /* not 0: struct xm_trunk_meta follows. Enum xm_trunk_bits */
};

enum xm_trunk_bits {
	/* High bits of the tag the packet came in with: its priority, and whether it may be dropped first. 0 when it had none. */
	XM_TRUNK_PRIORITY = 0x0f,
	XM_TRUNK = 0x10,
};

/* Of a packet whose copies go to ports that share devices. */
struct xm_trunk_meta {
	__u32 group; /* index into xm_groups */
	__u32 sequence; /* the same for all copies of one packet; another one for the next packet on this CPU */
};

/*
 * Which port a copy is for, when its device does not tell. Keyed twice: by slot for those who know it; for the egress program,
 * which does not, by device and how many copies of the packet went there before. Written before the slots of the group are.
 */
struct xm_slot_key {
	__u32 group;
	__u32 ifindex; /* 0: keyed by slot */
	__u32 place; /* slot of the group, or copy to the device; from 0 */
};

/* Per CPU and device: the packet whose copies pass its egress program, and how many of them have. */
struct xm_trunk_progress {
	__u32 sequence;
	__u32 copies;
};

enum xm_punt_tag {
	XM_PUNT_TAGGED = 0x10000,
};

/* Head of a ring buffer record; the packet's first bytes follow, from the Ethernet header on. */
struct xm_punt {
	__u32 frame_bytes; /* of the frame as received */
	__u32 captured_bytes; /* of it in this record */
	__u16 vport;
	__u16 class; /* enum xm_punt_class */
	__u32 lifted_tag; /* not 0: a VLAN tag (TCI) the kernel has taken out of the frame, and XM_PUNT_TAGGED */
	__u32 host_has_it; /* not 0: the machine sent it itself, or its applications have got it */
	__u32 pad;
};

#endif
