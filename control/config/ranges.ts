/**
 * What every number and duration of the configuration may be. By the names of the message classes; rules between fields are in
 * validate-relations.ts.
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

export const INTERFACE_RANGES = { ttlThreshold: count(1, 255) };

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
};

export const LIMITS_RANGES = {
  routes: count(16, 1_048_576),
  replicationGroups: count(16, 65_536),
  sourceIdleTimeout: duration(10_000, 86_400_000),
};

export const DATAPLANE_RANGES = { counterInterval: duration(100, 60_000) };

export const POLICER_RATE = count(1, 1_000_000);
/** Zero stands for "as many as rate". */
export const POLICER_BURST = count(0, 1_000_000);
/** Zero stands for "four times the rate". */
export const POLICER_TOTAL = count(0, 10_000_000);
