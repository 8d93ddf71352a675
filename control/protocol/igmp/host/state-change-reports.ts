/**
 * State-Change Reports (RFC 3376 §5.1): which changes are still to be reported and how often. Owns the retransmission state of groups
 * and sources; what the records say is drawn from the filters at the time of sending, so a repetition never tells what was.
 */
import type { Ipv4 } from '../../packet/address';
import { RecordType, type GroupRecord } from '../message';
import { DeadlineQueue, type Scheduled } from '../router/deadline-queue';
import { delayBelow } from './delays';
import { ascending, isListenedTo, type Filter } from './filter';
import type { Turn } from './reporter';
import { takeDue } from './take-due';
import type { FilterChange } from './wanted-filters';

/** RFC 3376 §8.11. */
const UNSOLICITED_REPORT_INTERVAL_MS = 1_000;

/** Groups that were reported together and are repeated together: thousands of joins in a few packets stay a few packets. */
interface Repetition extends Scheduled {
  readonly changes: Set<PendingChange>;
}

interface PendingChange {
  readonly group: Ipv4;
  /** Reports that are still to carry a Filter-Mode-Change record. */
  modeReportsLeft: number;
  /** Of each source: reports still to be sent since it was last in a difference, whichever records they carry. */
  sourceReportsLeft: Map<Ipv4, number> | undefined;
  /** undefined: not reported yet. */
  repetition: Repetition | undefined;
}

export class StateChangeReports {
  readonly #pending = new Map<Ipv4, PendingChange>();
  readonly #queue = new DeadlineQueue<Repetition>();

  /** The records of the changes, merged with what was pending of their groups, and of the repetitions that are due. */
  report(changes: readonly FilterChange[], turn: Turn): GroupRecord[] {
    const due = changes.map((change) => this.#merge(change, turn.robustness));
    for (const { changes: again } of takeDue(this.#queue, turn.nowMs)) for (const pending of again) due.push(pending);
    const records = due.flatMap((pending) => recordsOf(pending, turn.filters.of(pending.group)));
    for (const pending of due) countReport(pending);
    this.#repeat(due, turn);
    return records;
  }

  nextDeadline(): number | undefined {
    return this.#queue.first()?.deadlineMs;
  }

  /** The merged report "becomes the first of [Robustness Variable] transmissions"; the repetition of the earlier one is over. */
  #merge({ group, before, after }: FilterChange, robustness: number): PendingChange {
    const pending = this.#pendingOf(group);
    this.#leaveRepetition(pending);
    if (before.mode === after.mode) {
      pending.sourceReportsLeft ??= new Map();
      for (const source of difference(before.sources, after.sources)) pending.sourceReportsLeft.set(source, robustness);
    } else {
      pending.modeReportsLeft = robustness;
      // The Filter-Mode-Change records carry all there is to say of every source, as often as any of them has left.
      pending.sourceReportsLeft = undefined;
    }
    return pending;
  }

  #repeat(reported: readonly PendingChange[], turn: Turn): void {
    const repetition: Repetition = { changes: new Set(), deadlineMs: undefined, queueIndex: -1 };
    for (const pending of reported) {
      const isOver = pending.modeReportsLeft === 0 && (pending.sourceReportsLeft?.size ?? 0) === 0;
      pending.repetition = isOver ? undefined : repetition;
      if (isOver) this.#pending.delete(pending.group);
      else repetition.changes.add(pending);
    }
    if (repetition.changes.size > 0) this.#queue.schedule(repetition, nextReportMs(turn));
  }

  #leaveRepetition(pending: PendingChange): void {
    const { repetition } = pending;
    if (repetition === undefined) return;
    repetition.changes.delete(pending);
    if (repetition.changes.size === 0) this.#queue.schedule(repetition, undefined);
  }

  #pendingOf(group: Ipv4): PendingChange {
    const known = this.#pending.get(group);
    if (known !== undefined) return known;
    const pending = { group, modeReportsLeft: 0, sourceReportsLeft: undefined, repetition: undefined };
    this.#pending.set(group, pending);
    return pending;
  }
}

/** The second table of §5.1. */
function recordsOf(pending: PendingChange, filter: Filter): GroupRecord[] {
  const { group } = pending;
  if (pending.modeReportsLeft > 0) {
    const type = filter.mode === 'include' ? RecordType.CHANGE_TO_INCLUDE_MODE : RecordType.CHANGE_TO_EXCLUDE_MODE;
    return [{ type, group, sources: ascending(filter.sources) }];
  }
  const allowed: Ipv4[] = [];
  const blocked: Ipv4[] = [];
  for (const source of ascending(pending.sourceReportsLeft?.keys() ?? []))
    (isListenedTo(filter, source) ? allowed : blocked).push(source);
  const records: GroupRecord[] = [
    { type: RecordType.ALLOW_NEW_SOURCES, group, sources: allowed },
    { type: RecordType.BLOCK_OLD_SOURCES, group, sources: blocked },
  ];
  // "If the computed source list for either an ALLOW or a BLOCK record is empty, that record is omitted".
  return records.filter(({ sources }) => sources.length > 0);
}

function nextReportMs(turn: Turn): number {
  return turn.nowMs + delayBelow(turn.unsolicitedReportIntervalMs ?? UNSOLICITED_REPORT_INTERVAL_MS, turn.random);
}

function countReport(pending: PendingChange): void {
  pending.modeReportsLeft = Math.max(0, pending.modeReportsLeft - 1);
  const { sourceReportsLeft } = pending;
  if (sourceReportsLeft === undefined) return;
  for (const [source, left] of sourceReportsLeft) {
    if (left > 1) sourceReportsLeft.set(source, left - 1);
    else sourceReportsLeft.delete(source);
  }
}

/** The sources that are in one of the two, which both lines of the first table of §5.1 come to while the mode stays. */
function* difference(before: ReadonlySet<Ipv4>, after: ReadonlySet<Ipv4>): Iterable<Ipv4> {
  for (const source of before) if (!after.has(source)) yield source;
  for (const source of after) if (!before.has(source)) yield source;
}
