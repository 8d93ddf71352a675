/**
 * What goes into and comes out of the mapping of source-specific groups to sources. Types and limits only.
 * The machine is pure: `input(event, nowMs) → effects`, `nextDeadline()`. Times are integer ms of a monotonic clock that is handed in.
 */
import type { Ipv4, Ipv4Prefix } from '../protocol/packet/address';

export interface SsmTableSettings {
  /** The most specific decides, before DNS. */
  readonly static: readonly { readonly group: Ipv4Prefix; readonly sources: readonly Ipv4[] }[];
  /** Lower case, without dots at its ends; undefined: DNS is not asked. */
  readonly dnsDomain: string | undefined;
  readonly anySourceV3: boolean;
}

export interface SsmLimits {
  /** Groups whose answers are kept, those without sources included. What comes beyond is refused. */
  readonly groups: number;
  readonly sourcesPerGroup: number;
  /** Questions on their way at one time. */
  readonly questionsAtOnce: number;
  /** Groups that wait for their first question. What comes beyond is refused: strangers must not delay the groups of others. */
  readonly questionsWaiting: number;
  /** An answer holds for its TTL within these bounds. */
  readonly shortestTtlMs: number;
  readonly longestTtlMs: number;
  /** How long "there is no such name" holds. */
  readonly noSourcesMs: number;
  /** The wait after the first failure is at least the first and doubles up to the second. */
  readonly shortestRetryMs: number;
  readonly longestRetryMs: number;
  /** How long an answer whose TTL is over is used while nobody gives a new one: DNS being down must not stop a stream. */
  readonly staleMs: number;
  /** A group nobody has asked for in this time is no longer looked after. Longer than hosts are silent (RFC 3376 §8.4). */
  readonly interestMs: number;
}

export const SSM_LIMITS: SsmLimits = {
  groups: 16_384,
  sourcesPerGroup: 64,
  questionsAtOnce: 64,
  questionsWaiting: 1024,
  shortestTtlMs: 5_000,
  longestTtlMs: 86_400_000,
  noSourcesMs: 60_000,
  shortestRetryMs: 1_000,
  longestRetryMs: 300_000,
  staleMs: 86_400_000,
  interestMs: 600_000,
};

export interface SsmTableOptions {
  readonly settings: SsmTableSettings;
  /** 0 ≤ random() < 1, spreads the retries. */
  readonly random: () => number;
  /** Default: SSM_LIMITS. */
  readonly limits?: Partial<SsmLimits>;
}

export interface AddressRecord {
  readonly address: Ipv4;
  readonly ttlMs: number;
}

export type SsmEvent =
  /** Somebody is about to read sourcesOf() for a host. */
  | { readonly kind: 'wanted'; readonly group: Ipv4 }
  /** The name server's word on a name that was asked for; no records: it has none, or there is no such name. */
  | { readonly kind: 'answer'; readonly name: string; readonly records: readonly AddressRecord[] }
  /** No word on it. */
  | { readonly kind: 'failure'; readonly name: string; readonly reason: string }
  /** From now on these settings hold. Answers are kept while the domain stays. */
  | { readonly kind: 'settings'; readonly settings: SsmTableSettings }
  /** nextDeadline() has come. Early or late calls are harmless. */
  | { readonly kind: 'timer' };

export type SsmEffect =
  /** Ask for the A records of this name. Each gets one 'answer' or 'failure'. */
  | { readonly kind: 'resolve'; readonly name: string }
  /** sourcesOf() says something else about this group than it did. Never an effect of 'wanted'. */
  | { readonly kind: 'mapped'; readonly group: Ipv4 }
  | { readonly kind: 'log'; readonly level: 'info' | 'warn'; readonly text: string };

export const SSM_COUNTS = [
  /** Asked by hosts' joins: answered by configuration, by a kept answer (of these, past its TTL), not yet, refused by a full table. */
  'static_hits',
  'hits',
  'stale_hits',
  'misses',
  'refused',
  /** DNS: questions, answers with sources, without, failures. */
  'questions',
  'answers',
  'not_found',
  'failures',
  /** Addresses in answers that were left out: no source can have them; more than a group may have. */
  'not_unicast',
  'too_many',
] as const;
export type SsmCount = (typeof SSM_COUNTS)[number];

/** For status and metrics. */
export interface SsmSnapshot {
  readonly staticMappings: number;
  /** Groups by what is known of them from DNS: sources, none, nothing yet. */
  readonly mapped: number;
  readonly unmapped: number;
  readonly pending: number;
  /** Groups whose last question failed. */
  readonly failing: number;
  readonly questionsRunning: number;
  readonly questionsWaiting: number;
  readonly counts: Readonly<Record<SsmCount, number>>;
}
