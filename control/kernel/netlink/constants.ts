/**
 * Numbers of the rtnetlink ABI (linux/netlink.h, rtnetlink.h, if_link.h, if_addr.h, if.h), only those this room reads or writes.
 * Never holds layouts: offsets live with the reader of each message.
 */
import { endianness } from 'node:os';

/** netlink is in host byte order, except addresses. */
export const HOST_LITTLE_ENDIAN = endianness() === 'LE';

export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLMSG_OVERRUN = 4;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_MULTI = 0x2;
/** The tables changed while they were being dumped: the dump may lack or repeat entries. */
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
/** On RTM_NEWROUTE notifications: how the route was put among others of the same prefix and metric. */
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_APPEND = 0x800;

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;

export const RTNLGRP_LINK = 1;
export const RTNLGRP_IPV4_IFADDR = 5;
export const RTNLGRP_IPV4_ROUTE = 7;

export const AF_UNSPEC = 0;
export const AF_INET = 2;

export const IFF_UP = 0x1;
/** Operational state is up or unknown. */
export const IFF_RUNNING = 0x40;
/** The driver has a carrier. */
export const IFF_LOWER_UP = 0x10000;

export const IFLA_ADDRESS = 1;
export const IFLA_IFNAME = 3;
export const IFLA_MTU = 4;
/** Of a device on top of another one: that one's ifindex. */
export const IFLA_LINK = 5;
export const IFLA_LINKINFO = 18;
export const IFLA_INFO_KIND = 1;
export const IFLA_INFO_DATA = 2;
/** Within IFLA_INFO_DATA of kind "vlan". */
export const IFLA_VLAN_ID = 1;
export const IFLA_VLAN_PROTOCOL = 5;
export const IFLA_INFO_SLAVE_KIND = 4;
export const IFLA_EXT_MASK = 29;
/** IFLA_LINK is in another network namespace. */
export const IFLA_LINK_NETNSID = 37;
export const RTEXT_FILTER_SKIP_STATS = 8;

export const IFA_ADDRESS = 1;
export const IFA_LOCAL = 2;
export const IFA_FLAGS = 8;
export const IFA_F_SECONDARY = 0x1;

export const RTA_DST = 1;
export const RTA_OIF = 4;
export const RTA_GATEWAY = 5;
export const RTA_PRIORITY = 6;
export const RTA_PREFSRC = 7;
export const RTA_MULTIPATH = 9;
export const RTA_TABLE = 15;

export const RT_TABLE_MAIN = 254;

export const RTN_UNICAST = 1;
export const RTN_BLACKHOLE = 6;
export const RTN_UNREACHABLE = 7;
export const RTN_PROHIBIT = 8;
/** Look-up goes on in the next table. */
export const RTN_THROW = 9;

/** A cached exception (PMTU, redirect), not a route. */
export const RTM_F_CLONED = 0x200;

export const EBUSY = 16;
