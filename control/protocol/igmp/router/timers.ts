/**
 * The intervals of RFC 3376 §8 that follow from the configured ones by formula. Owns the formulas; never holds a running timer.
 */
import type { IgmpTiming } from './api';

export interface IgmpIntervals {
  /** §8.4: how long a group or source lives without a report. */
  readonly groupMembershipIntervalMs: number;
  /** §8.5: how long a silent querier is still believed to be there. */
  readonly otherQuerierPresentIntervalMs: number;
  /** §8.13: how long after an older report its group stays in the older mode. */
  readonly olderHostPresentIntervalMs: number;
  /** §8.8. */
  readonly lastMemberQueryIntervalMs: number;
  /** §8.9. */
  readonly lastMemberQueryCount: number;
  /** §8.10: the leave latency. */
  readonly lastMemberQueryTimeMs: number;
}

/** What the elected querier announced of itself (§4.1.6, §4.1.7); 0 where it said nothing. */
export interface QuerierAnnouncement {
  readonly robustness: number;
  readonly queryIntervalMs: number;
}

/**
 * DEVIATION(RFC3376 4.1.7): an announced Query Interval above this is taken as this, because QQIC reaches 8.8 hours and, times a
 * robustness of 7, one forged query would hold the querier role and all memberships for two and a half days.
 */
const ADOPTED_QUERY_INTERVAL_LIMIT_MS = 3_600_000;

/** Intervals while this router is the querier, or, with `announced`, while another one is and its values are adopted. */
export function deriveIntervals(timing: IgmpTiming, announced?: QuerierAnnouncement): IgmpIntervals {
  const robustness = announced?.robustness || timing.robustness;
  const queryIntervalMs = adoptedQueryIntervalMs(timing, announced);
  const allQueriesLostMs = robustness * queryIntervalMs;
  // A zero here would make the retransmission of last-member queries an endless loop within one instant.
  const lastMemberQueryIntervalMs = Math.max(1, timing.lastMemberQueryIntervalMs);
  const lastMemberQueryCount = Math.max(1, timing.lastMemberQueryCount);
  return {
    groupMembershipIntervalMs: allQueriesLostMs + timing.queryResponseIntervalMs,
    otherQuerierPresentIntervalMs: allQueriesLostMs + Math.floor(timing.queryResponseIntervalMs / 2),
    olderHostPresentIntervalMs: allQueriesLostMs + timing.queryResponseIntervalMs,
    lastMemberQueryIntervalMs,
    lastMemberQueryCount,
    lastMemberQueryTimeMs: lastMemberQueryIntervalMs * lastMemberQueryCount,
  };
}

function adoptedQueryIntervalMs(timing: IgmpTiming, announced: QuerierAnnouncement | undefined): number {
  if (announced === undefined || announced.queryIntervalMs === 0) return timing.queryIntervalMs;
  // An operator who configured more than the limit here expects the same of the querier.
  return Math.min(announced.queryIntervalMs, Math.max(timing.queryIntervalMs, ADOPTED_QUERY_INTERVAL_LIMIT_MS));
}
