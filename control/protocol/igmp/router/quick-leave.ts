/**
 * What a leave may end without asking the link: nothing, what no known host wants any more, or all of it. Ends it, and says what is
 * still to be asked for. Never decides whether this router is the one to do so.
 *
 * DEVIATION(RFC3376 6.4.2): the tables ask before they end anything, because other hosts may want it; an operator may know better.
 *
 * 'tracked' needs to know all hosts of a group. It does where all speak IGMPv3: these answer each for itself. In a group with hosts of
 * version 1 or 2 only those are heard that were not suppressed by another's report (RFC 2236 §3), and no count of reports proves that
 * nobody kept silent; a single host for years may be the loudest of two. Such groups, and those of hosts that hide behind 0.0.0.0 or found
 * no place under the limit, are asked as without quick leave. So is everything until the hosts had time to answer the first query.
 */
import type { Ipv4 } from '../../packet/address';
import { lowerGroupTimer, lowerSourceTimers } from './group-state';
import { moreStillWanted, stillWanted } from './hosts';
import { pass, type Membership } from './membership';
import type { Turn } from './turn';

export interface Question {
  readonly querySources: readonly Ipv4[];
  readonly queryGroup: boolean;
}

export function endAtOnce(membership: Membership, question: Question, turn: Turn): Question {
  const { quickLeave } = turn.settings;
  if (quickLeave === 'off' || (quickLeave === 'tracked' && !turn.hostsHaveAnswered)) return question;
  const left = quickLeave === 'always' ? NOTHING : inDoubt(membership, question, turn.nowMs);
  const kept = new Set(left.querySources);
  const ended = question.querySources.filter((source) => !kept.has(source));
  lowerSourceTimers(membership, ended, turn.nowMs);
  // The tracked may also be the last that a question asked earlier, and not over yet, was for.
  if (!left.queryGroup && (question.queryGroup || quickLeave === 'tracked')) lowerGroupTimer(membership, turn.nowMs);
  pass(membership, turn.nowMs);
  return { ...left, queryGroup: left.queryGroup && question.queryGroup };
}

const NOTHING: Question = { querySources: [], queryGroup: false };

function inDoubt(membership: Membership, { querySources }: Question, nowMs: number): Question {
  return {
    querySources: stillWanted(membership, querySources, nowMs),
    queryGroup: moreStillWanted(membership, membership.sources, nowMs),
  };
}
