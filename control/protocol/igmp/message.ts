/**
 * IGMP messages of all three versions as plain data. Only types: decode.ts reads them, encode.ts writes them.
 */
import type { Ipv4 } from '../packet/address';

/** RFC 3376 §4.2.12 group record types, by their numbers on the wire. */
export const RecordType = {
  MODE_IS_INCLUDE: 1,
  MODE_IS_EXCLUDE: 2,
  CHANGE_TO_INCLUDE_MODE: 3,
  CHANGE_TO_EXCLUDE_MODE: 4,
  ALLOW_NEW_SOURCES: 5,
  BLOCK_OLD_SOURCES: 6,
} as const;
export type RecordType = (typeof RecordType)[keyof typeof RecordType];

export interface GroupRecord {
  readonly type: RecordType;
  readonly group: Ipv4;
  readonly sources: readonly Ipv4[];
}

export interface IgmpQuery {
  readonly kind: 'query';
  readonly version: 1 | 2 | 3;
  /** 0 in a general query. */
  readonly group: Ipv4;
  /** Max Response Time in ms, after decoding the code (v1: 10 000, RFC 3376 §7.2.1). */
  readonly maxResponseTimeMs: number;
  /** S flag. Always false before v3. */
  readonly suppressRouterProcessing: boolean;
  /** QRV as on the wire; 0 means "more than 7, or not a v3 query". */
  readonly querierRobustness: number;
  /** Querier's Query Interval in ms from QQIC; 0 when not a v3 query. */
  readonly querierQueryIntervalMs: number;
  readonly sources: readonly Ipv4[];
}

export interface IgmpReportV1 { readonly kind: 'report-v1'; readonly group: Ipv4 }
export interface IgmpReportV2 { readonly kind: 'report-v2'; readonly group: Ipv4 }
export interface IgmpLeave { readonly kind: 'leave'; readonly group: Ipv4 }
export interface IgmpReportV3 { readonly kind: 'report-v3'; readonly records: readonly GroupRecord[] }

export type IgmpMessage = IgmpQuery | IgmpReportV1 | IgmpReportV2 | IgmpLeave | IgmpReportV3;

/** A message as it arrived: what the router side needs to know of the IP header around it. */
export interface ReceivedIgmp {
  readonly source: Ipv4;
  readonly destination: Ipv4;
  readonly routerAlert: boolean;
  readonly message: IgmpMessage;
  /**
   * What inside an otherwise good message was skipped, by reason (unknown record type, record for 224.0.0.0/24,
   * record whose group is not multicast, source that is not unicast …).
   */
  readonly skipped: readonly IgmpDropReason[];
}

/**
 * Why a packet, or one record or source of it, was refused. The one list of them: metrics, API and docs use these words.
 * The first part is found by the codec, the second ("policy") by the router side.
 */
export const IGMP_DROP_REASONS = [
  // codec: IP header
  'truncated', 'bad_ip_version', 'bad_ip_header_length', 'bad_ip_total_length', 'bad_ip_checksum', 'fragment', 'not_igmp', 'bad_ttl',
  // codec: IGMP
  'too_short', 'bad_checksum', 'bad_length', 'unknown_type', 'dvmrp', 'pim_v1', 'mtrace', 'bad_destination', 'bad_source', 'bad_group',
  'query_sources_without_group', 'record_overruns', 'unknown_record_type', 'record_bad_group', 'record_link_local', 'record_bad_source',
  // policy: router side
  'off_subnet_source', 'own_address', 'no_router_alert', 'querier_zero_source', 'wrong_query_version', 'ssm_ignored', 'link_local_group',
  'group_limit', 'source_limit', 'interface_down', 'ignored_in_compatibility_mode', 'version_ignored', 'access_denied', 'host_limit', 'total_limit',
  'querier_denied',
  // policy: host side
  'not_for_hosts',
] as const;
export type IgmpDropReason = (typeof IGMP_DROP_REASONS)[number];

/** What a line of the log is about: who asks on the link, a limit, or routers that are configured in different ways. */
export type IgmpLogSubject = 'querier' | 'limit' | 'mismatch';
