/**
 * What every number and duration of the configuration may be, and how long its lists. By the names of the message classes; rules
 * between fields are in validate-relations.ts.
 */

export interface Range {
  readonly kind: 'number' | 'duration';
  /** Both ends belong to it; ms for a duration. */
  readonly min: number;
  readonly max: number;
}

function count(min: number, max: number): Range {
  return { kind: 'number', min, max };
}

function duration(min: number, max: number): Range {
  return { kind: 'duration', min, max };
}

/** As many as the data plane has ports for. */
export const MAX_INTERFACES = 1024;

/** Lists are walked, some for each report: none may be longer than that takes no time. */
export const MAX_PREFIXES = 4096;
/** Of a VLAN that the kernel has no interface for. */
export const MAX_ADDRESSES = 16;
export const MAX_ACCESS_RULES = 4096;
/** As max_groups and max_sources_per_group can be. */
export const MAX_STATIC_GROUPS = 131_072;
export const MAX_STATIC_GROUP_SOURCES = 4096;
export const MAX_JOIN_GROUPS = 64;
/** What one kernel socket may name (net.ipv4.igmp_max_msf). */
export const MAX_JOIN_GROUP_SOURCES = 10;
export const MAX_STATIC_ROUTES = 16_384;
/** Of all static routes together: sixteen for each when there are as many as may be. */
export const MAX_STATIC_ROUTE_DOWNSTREAMS = 262_144;
export const MAX_SSM_MAPPINGS = 16_384;
export const MAX_MAPPED_SOURCES = 64;
/** Each one that is silent costs a resolver its time-out. */
export const MAX_DNS_SERVERS = 8;

export const INTERFACE_RANGES = { ttlThreshold: count(1, 255), upstreamPriority: count(0, 255) };

/** Of the section igmp_host. */
export const HOST_RANGES = {
  version: count(1, 3),
  robustness: count(1, 7),
  unsolicitedReportInterval: duration(100, 25_500),
  olderVersionQuerierTimeout: duration(10_000, 31_744_000),
};

export const STATIC_ROUTE_RANGES = { ttlThreshold: count(1, 255) };

/** No timer may be shorter than hosts and wire can follow: an interval of zero is a storm of queries. */
export const IGMP_RANGES = {
  version: count(1, 3),
  // RFC 3376 §8.1: never zero, and QRV has three bits (§4.1.6).
  robustness: count(1, 7),
  // RFC 3376 §4.1.7: the largest QQIC, 0xff, is 31744 s.
  queryInterval: duration(1_000, 31_744_000),
  // RFC 3376 §4.1.1: the largest Max Resp Code is 31744 tenths; the smallest that is not zero is one.
  queryResponseInterval: duration(100, 3_174_000),
  // Eight bits of tenths: what version 2 hosts understand too (RFC 2236 §2.2).
  lastMemberQueryInterval: duration(100, 25_500),
  lastMemberQueryCount: count(1, 7),
  startupQueryInterval: duration(1_000, 31_744_000),
  startupQueryCount: count(1, 7),
  maxGroups: count(1, 131_072),
  maxSourcesPerGroup: count(1, 4096),
  maxGroupsPerHost: count(1, 131_072),
  maxTrackedHosts: count(1, 1_048_576),
};

export const LIMITS_RANGES = {
  routes: count(16, 1_048_576),
  replicationGroups: count(16, 65_536),
  sourceIdleTimeout: duration(10_000, 86_400_000),
  memberships: count(1, 1_048_576),
  staticEntries: count(1, 1_048_576),
};

export const MAX_API_LISTENERS = 8;
export const MAX_API_ROLES = 256;
export const API_LIMITS_RANGES = {
  connections: count(1, 4096),
  connectionsPerClient: count(1, 4096),
  requestsPerSecond: count(1, 1_000_000),
  unixConnections: count(1, 4096),
  watchers: count(1, 4096),
  streamsPerConnection: count(1, 10_000),
  requestBytes: count(65_536, 16_777_216),
};

export const DATAPLANE_RANGES = { counterInterval: duration(100, 60_000), holdTime: duration(0, 86_400_000), verifyInterval: duration(1_000, 60_000) };

export const POLICER_RATE = count(1, 1_000_000);
/** Zero stands for "as many as rate". */
export const POLICER_BURST = count(0, 1_000_000);
/** Zero stands for "four times the rate". */
export const POLICER_TOTAL = count(0, 10_000_000);
