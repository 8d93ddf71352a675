/**
 * Answers to queries (RFC 3376 §5.2): what was asked and when the answer is due. Owns the interface timer, the group timers and the
 * recorded sources; what the Current-State Records say is drawn from the filters at the time of sending.
 *
 * Bounded whatever is asked: a group nobody wants makes no state, and no query postpones an answer that is due.
 */
import type { Ipv4 } from '../../packet/address';
import { RecordType, type GroupRecord, type IgmpQuery } from '../message';
import { DeadlineQueue, type Scheduled } from '../deadline-queue';
import { delayUpTo } from './delays';
import { ascending, isListenedTo, isNothing, type Filter } from './filter';
import type { Turn } from './reporter';
import { takeDue } from './take-due';
import type { FilterView } from './wanted-filters';

interface PendingAnswer extends Scheduled {
  readonly group: Ipv4;
  /** The recorded source list; empty: the whole group was asked for. */
  readonly sources: Set<Ipv4>;
}

export class QueryAnswers {
  /** The interface timer. */
  #generalDueMs: number | undefined;
  readonly #pending = new Map<Ipv4, PendingAnswer>();
  readonly #queue = new DeadlineQueue<PendingAnswer>();

  /** The five rules of §5.2, of which the first that matches is applied. */
  heardQuery(query: IgmpQuery, turn: Turn): void {
    if (!hasStateToReport(query, turn.filters)) return;
    const dueMs = turn.nowMs + delayUpTo(query.maxResponseTimeMs, turn.random);
    // Rule 1.
    if (this.#generalDueMs !== undefined && this.#generalDueMs <= dueMs) return;
    // Rule 2.
    if (query.group === 0) {
      this.#generalDueMs = dueMs;
      return;
    }
    const pending = this.#pending.get(query.group);
    if (pending === undefined) this.#addAnswer(query, dueMs, turn);
    else this.#combine(pending, query, dueMs, turn);
  }

  /** The group is no longer wanted: there will be nothing to answer. */
  forget(group: Ipv4): void {
    const pending = this.#pending.get(group);
    if (pending === undefined) return;
    this.#queue.schedule(pending, undefined);
    this.#pending.delete(group);
  }

  takeDue(turn: Turn): GroupRecord[] {
    if (this.#generalDueMs !== undefined && this.#generalDueMs <= turn.nowMs) return this.#takeGeneral(turn.filters);
    const records: GroupRecord[] = [];
    for (const pending of takeDue(this.#queue, turn.nowMs)) {
      const record = answerOf(pending, turn.filters.of(pending.group));
      if (record !== undefined) records.push(record);
      this.#pending.delete(pending.group);
    }
    return records;
  }

  nextDeadline(): number | undefined {
    const group = this.#queue.first()?.deadlineMs;
    return group === undefined ? this.#generalDueMs : Math.min(group, this.#generalDueMs ?? group);
  }

  /** Rule 3. */
  #addAnswer(query: IgmpQuery, dueMs: number, turn: Turn): void {
    const pending = { group: query.group, sources: new Set<Ipv4>(), deadlineMs: undefined, queueIndex: -1 };
    recordSources(pending, query.sources, turn.recordedSourcesLimit);
    this.#pending.set(query.group, pending);
    this.#queue.schedule(pending, dueMs);
  }

  /** Rules 4 and 5: one answer to both, at the earlier time. */
  #combine(pending: PendingAnswer, query: IgmpQuery, dueMs: number, turn: Turn): void {
    if (query.sources.length === 0 || pending.sources.size === 0) pending.sources.clear();
    else recordSources(pending, query.sources, turn.recordedSourcesLimit);
    this.#queue.schedule(pending, Math.min(dueMs, pending.deadlineMs ?? dueMs));
  }

  /**
   * "One Current-State Record is sent for each multicast address". Whatever else was asked before is answered by that, so that a flood
   * of specific queries does not add as many reports.
   */
  #takeGeneral(filters: FilterView): GroupRecord[] {
    this.#generalDueMs = undefined;
    this.#pending.clear();
    this.#queue.clear();
    return Array.from(filters, ([group, filter]) => currentState(group, filter));
  }
}

function hasStateToReport(query: IgmpQuery, filters: FilterView): boolean {
  return query.group === 0 ? filters.size > 0 : !isNothing(filters.of(query.group));
}

/** §9.1: record "only a limited number of sources". Beyond it the whole group is answered, which tells of these sources too. */
function recordSources(pending: PendingAnswer, sources: readonly Ipv4[], limit: number): void {
  for (const source of sources) {
    pending.sources.add(source);
    if (pending.sources.size > limit) return pending.sources.clear();
  }
}

/** undefined: "If the resulting Current-State Record has an empty set of source addresses, then no response is sent." */
function answerOf({ group, sources }: PendingAnswer, filter: Filter): GroupRecord | undefined {
  if (isNothing(filter)) return undefined;
  if (sources.size === 0) return currentState(group, filter);
  // IS_IN(A*B) in INCLUDE(A), IS_IN(B-A) in EXCLUDE(A): of the sources asked for those that are listened to.
  const listenedTo = ascending(sources).filter((source) => isListenedTo(filter, source));
  return listenedTo.length === 0 ? undefined : { type: RecordType.MODE_IS_INCLUDE, group, sources: listenedTo };
}

function currentState(group: Ipv4, filter: Filter): GroupRecord {
  const type = filter.mode === 'include' ? RecordType.MODE_IS_INCLUDE : RecordType.MODE_IS_EXCLUDE;
  return { type, group, sources: filter.sources };
}
