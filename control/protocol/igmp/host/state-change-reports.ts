/**
 * State-Change Reports (RFC 3376 §5.1): which changes are still to be reported and how often. Owns the retransmission state of groups
 * and sources; what the records say is drawn from what is wanted at the time of sending, so a repetition never tells what was.
 */
import type { Ipv4 } from '../../packet/address';
import { RecordType, type GroupRecord } from '../message';
import { DeadlineQueue } from '../deadline-queue';
import { delayBelow } from './delays';
import { ascending, difference, isListenedTo } from './filter';
import type { Turn } from './reporter';
import { takeDue } from './take-due';
import type { Repetition, UnsettledGroup } from './unsettled-group';

/** RFC 3376 §8.11. */
const UNSOLICITED_REPORT_INTERVAL_MS = 1_000;

export class StateChangeReports {
  readonly #queue = new DeadlineQueue<Repetition>();

  /** The records of the changes, merged with what was pending of their groups, and of the repetitions that are due. */
  report(changes: readonly UnsettledGroup[], turn: Turn): GroupRecord[] {
    for (const change of changes) this.#merge(change, turn.robustness);
    const due = [...changes, ...this.#takeRepetitions(turn.nowMs)];
    const records: GroupRecord[] = [];
    for (const group of due) {
      addRecords(group, records);
      countReport(group);
    }
    this.#repeat(due, turn);
    return records;
  }

  nextDeadline(): number | undefined {
    return this.#queue.first()?.deadlineMs;
  }

  /** The merged report "becomes the first of [Robustness Variable] transmissions"; the repetition of the earlier one is over. */
  #merge(change: UnsettledGroup, robustness: number): void {
    this.#leaveRepetition(change);
    const { announced, wanted } = change;
    if (announced.mode === wanted.mode) {
      change.sourceReportsLeft ??= new Map();
      for (const source of difference(announced, wanted)) change.sourceReportsLeft.set(source, robustness);
    } else {
      change.modeReportsLeft = robustness;
      // The Filter-Mode-Change records carry all there is to say of every source, as often as any of them has left.
      change.sourceReportsLeft = undefined;
    }
  }

  *#takeRepetitions(nowMs: number): Iterable<UnsettledGroup> {
    for (const repetition of takeDue(this.#queue, nowMs))
      for (const group of repetition.groups) if (group.repetition === repetition) yield group;
  }

  #repeat(reported: readonly UnsettledGroup[], turn: Turn): void {
    const groups: UnsettledGroup[] = [];
    const repetition: Repetition = { groups, groupsLeft: 0, deadlineMs: undefined, queueIndex: -1 };
    for (const group of reported) {
      const isOver = group.modeReportsLeft === 0 && (group.sourceReportsLeft?.size ?? 0) === 0;
      group.repetition = isOver ? undefined : repetition;
      if (isOver) turn.filters.settle(group);
      else groups.push(group);
    }
    repetition.groupsLeft = groups.length;
    if (groups.length > 0) this.#queue.schedule(repetition, nextReportMs(turn));
  }

  #leaveRepetition(group: UnsettledGroup): void {
    const { repetition } = group;
    if (repetition === undefined) return;
    group.repetition = undefined;
    repetition.groupsLeft -= 1;
    if (repetition.groupsLeft === 0) this.#queue.schedule(repetition, undefined);
  }
}

/** The second table of §5.1. */
function addRecords(pending: UnsettledGroup, records: GroupRecord[]): void {
  const { group, wanted } = pending;
  if (pending.modeReportsLeft > 0) {
    const type = wanted.mode === 'include' ? RecordType.CHANGE_TO_INCLUDE_MODE : RecordType.CHANGE_TO_EXCLUDE_MODE;
    records.push({ type, group, sources: wanted.sources });
    return;
  }
  const allowed: Ipv4[] = [];
  const blocked: Ipv4[] = [];
  for (const source of ascending(pending.sourceReportsLeft?.keys() ?? []))
    (isListenedTo(wanted, source) ? allowed : blocked).push(source);
  // "If the computed source list for either an ALLOW or a BLOCK record is empty, that record is omitted".
  if (allowed.length > 0) records.push({ type: RecordType.ALLOW_NEW_SOURCES, group, sources: allowed });
  if (blocked.length > 0) records.push({ type: RecordType.BLOCK_OLD_SOURCES, group, sources: blocked });
}

function nextReportMs(turn: Turn): number {
  return turn.nowMs + delayBelow(turn.unsolicitedReportIntervalMs ?? UNSOLICITED_REPORT_INTERVAL_MS, turn.random);
}

function countReport(pending: UnsettledGroup): void {
  pending.modeReportsLeft = Math.max(0, pending.modeReportsLeft - 1);
  const { sourceReportsLeft } = pending;
  if (sourceReportsLeft === undefined) return;
  for (const [source, left] of sourceReportsLeft) {
    if (left > 1) sourceReportsLeft.set(source, left - 1);
    else sourceReportsLeft.delete(source);
  }
}
