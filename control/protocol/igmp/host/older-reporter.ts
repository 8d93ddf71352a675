/**
 * A host of version 1 or 2 (RFC 1112 Appendix I, RFC 2236 §3, §6): one delay timer per group, for repetitions of the first report and
 * for answers alike. Knows of groups only (RFC 4605 §4.1: records that come and go are reported, "all other changes are ignored").
 */
import type { Ipv4 } from '../../packet/address';
import type { IgmpQuery } from '../message';
import { DeadlineQueue, type Scheduled } from '../deadline-queue';
import { ALL_ROUTERS } from '../wire';
import { delayUpTo } from './delays';
import { isNothing } from './filter';
import type { Reporter, Turn } from './reporter';
import { takeDue } from './take-due';
import type { UnsettledGroup } from './unsettled-group';

/** RFC 2236 §8.10. RFC 1112 Appendix I repeats within the same time it answers in, which is 10 s too. */
const UNSOLICITED_REPORT_INTERVAL_MS = 10_000;

/** RFC 2236 §6: a group in "Delaying Member" state. One without such an entry is idle. */
interface DelayingMember extends Scheduled {
  readonly group: Ipv4;
  /** Reports after the one that is due. */
  repetitionsLeft: number;
}

export class OlderReporter implements Reporter {
  readonly version: 1 | 2;
  readonly #delaying = new Map<Ipv4, DelayingMember>();
  readonly #queue = new DeadlineQueue<DelayingMember>();

  constructor(version: 1 | 2) {
    this.version = version;
  }

  /** Sources of a version 3 query are not seen: to a host of this version it is one for the group (RFC 2236 §2.5). */
  heardQuery(query: IgmpQuery, turn: Turn): void {
    if (query.group !== 0) return this.#delay(query.group, query.maxResponseTimeMs, turn);
    for (const [group] of turn.filters) this.#delay(group, query.maxResponseTimeMs, turn);
  }

  /**
   * RFC 2236 §3, §5: another host's report is as good as ours. Not for a group of which we want named sources: RFC 4604 §2.2.1 says a
   * source-specific host "MUST NOT allow its report to be suppressed", and no such group, in whichever range, is wanted otherwise.
   */
  heardReport(group: Ipv4, turn: Turn): boolean {
    if (turn.filters.of(group).mode === 'exclude') this.#stop(group);
    return true;
  }

  report(changes: readonly UnsettledGroup[], turn: Turn): void {
    for (const change of changes) this.#reportChange(change, turn);
    for (const member of takeDue(this.#queue, turn.nowMs)) {
      const { group, repetitionsLeft } = member;
      const isWanted = !isNothing(turn.filters.of(group));
      if (isWanted) this.#sendReport(group, turn);
      // Idle again. A group that was asked about and went before it was announced ends here too.
      if (!isWanted || repetitionsLeft === 0) this.#delaying.delete(group);
      else this.#repeat(member, repetitionsLeft - 1, turn);
    }
  }

  nextDeadline(): number | undefined {
    return this.#queue.first()?.deadlineMs;
  }

  #reportChange({ group, announced, wanted }: UnsettledGroup, turn: Turn): void {
    if (isNothing(wanted)) {
      this.#stop(group);
      // RFC 2236 §3 asks for a leave of the last host that reported and allows it of any. A proxy stands for many hosts and its groups
      // are large streams, so the moment's traffic to find out whether others are left is worth it. Version 1 has no leave.
      if (this.version === 2) turn.send(ALL_ROUTERS, { kind: 'leave', group });
    } else if (isNothing(announced)) {
      this.#sendReport(group, turn);
      if (turn.robustness > 1) this.#repeat(this.#memberOf(group), turn.robustness - 2, turn);
      else this.#stop(group);
    }
  }

  /** RFC 2236 §3: a running timer is set anew "only if the requested Max Response Time is less than the remaining value". */
  #delay(group: Ipv4, maxResponseTimeMs: number, turn: Turn): void {
    if (isNothing(turn.filters.of(group))) return;
    const member = this.#memberOf(group);
    if (member.deadlineMs !== undefined && member.deadlineMs - turn.nowMs <= maxResponseTimeMs) return;
    this.#queue.schedule(member, turn.nowMs + delayUpTo(maxResponseTimeMs, turn.random));
  }

  #repeat(member: DelayingMember, repetitionsLeft: number, turn: Turn): void {
    member.repetitionsLeft = repetitionsLeft;
    const limitMs = turn.unsolicitedReportIntervalMs ?? UNSOLICITED_REPORT_INTERVAL_MS;
    this.#queue.schedule(member, turn.nowMs + delayUpTo(limitMs, turn.random));
  }

  #memberOf(group: Ipv4): DelayingMember {
    const known = this.#delaying.get(group);
    if (known !== undefined) return known;
    const member = { group, repetitionsLeft: 0, deadlineMs: undefined, queueIndex: -1 };
    this.#delaying.set(group, member);
    return member;
  }

  #stop(group: Ipv4): void {
    const member = this.#delaying.get(group);
    if (member === undefined) return;
    this.#queue.schedule(member, undefined);
    this.#delaying.delete(group);
  }

  /** RFC 2236 §6: sent "to the group being reported". */
  #sendReport(group: Ipv4, turn: Turn): void {
    turn.send(group, { kind: this.version === 2 ? 'report-v2' : 'report-v1', group });
  }
}
