/**
 * Numbers of IGMP on the wire that both directions of the codec share: types, lengths, well-known destinations.
 * No logic.
 */
import type { Ipv4 } from '../packet/address';

/** https://www.iana.org/assignments/igmp-type-numbers. The last four are known only to be refused by name. */
export const IgmpType = {
  MEMBERSHIP_QUERY: 0x11,
  V1_MEMBERSHIP_REPORT: 0x12,
  V2_MEMBERSHIP_REPORT: 0x16,
  V2_LEAVE_GROUP: 0x17,
  V3_MEMBERSHIP_REPORT: 0x22,
  DVMRP: 0x13,
  PIM_V1: 0x14,
  MTRACE_RESPONSE: 0x1e,
  MTRACE: 0x1f,
} as const;

/** RFC 2236 §2: the whole of a v1 or v2 message, and the least any message has. */
export const IGMP_MIN_LENGTH = 8;
export const CHECKSUM_OFFSET = 2;
/** RFC 3376 §4.1: a v3 query without its sources. */
export const QUERY_V3_HEADER_LENGTH = 12;
/** RFC 3376 §4.2: a v3 report without its records. */
export const REPORT_V3_HEADER_LENGTH = 8;
/** RFC 3376 §4.2: a record without its sources. */
export const RECORD_HEADER_LENGTH = 8;
export const SOURCE_LENGTH = 4;

/** 224.0.0.1, where general queries go (RFC 3376 §4.1.12). */
export const ALL_SYSTEMS: Ipv4 = 0xe0000001;
/** 224.0.0.2, where leaves go (RFC 2236 §3). */
export const ALL_ROUTERS: Ipv4 = 0xe0000002;
/** 224.0.0.22, where v3 reports go (RFC 3376 §4.2.14). */
export const ALL_IGMPV3_ROUTERS: Ipv4 = 0xe0000016;
