/**
 * All groups of one interface: finds or creates them within the limits, applies records, lets them expire, sends their last-member
 * queries and publishes their demand when it changed. Never judges senders or group addresses: admission.ts has done so.
 */
import { formatIpv4, type Ipv4 } from '../../packet/address';
import { RecordType, type IgmpQuery } from '../message';
import type { GroupDemand, IgmpInterfaceSettings, MembershipSnapshot } from './api';
import { compatibilityVersion, inCompatibilityMode, noOlderHosts, noteOlderHost, type OlderHosts } from './compatibility';
import { DeadlineQueue, type Scheduled } from './deadline-queue';
import { demandOf, sameDemand } from './demand';
import {
  applyRecord,
  BLOCKED,
  emptyGroupState,
  expire,
  firstExpiryMs,
  isEmpty,
  lowerGroupTimer,
  lowerSourceTimers,
  type GroupState,
  type RecordOutcome,
} from './group-state';
import { LastMemberQueries } from './last-member-queries';
import type { Turn } from './turn';

/** A record as the tables take it: of a v3 report, or the translation of an older message (RFC 3376 §7.3.2). */
export interface AdmittedRecord {
  readonly group: Ipv4;
  readonly type: RecordType;
  readonly sources: readonly Ipv4[];
  readonly reporter: Ipv4;
  /** Set by reports of older hosts: the group is in their version from now on. */
  readonly olderHost?: 1 | 2;
  /** Translated from a v2 leave. */
  readonly isLeave?: boolean;
}

interface Membership extends Scheduled {
  readonly group: Ipv4;
  readonly state: GroupState;
  readonly olderHosts: OlderHosts;
  readonly createdMs: number;
  lastReporter: Ipv4;
  /** undefined: nothing to ask. */
  queries: LastMemberQueries | undefined;
  /** The state changed in a way that may change the demand since it was last published. */
  unpublished: boolean;
  published: GroupDemand | undefined;
}

export class GroupTable {
  readonly #settings: IgmpInterfaceSettings;
  readonly #groups = new Map<Ipv4, Membership>();
  readonly #queue = new DeadlineQueue<Membership>();
  /** Changed in this turn, not yet settled: a packet with many records of one group sends and publishes once. */
  readonly #touched = new Set<Membership>();

  constructor(settings: IgmpInterfaceSettings) {
    this.#settings = settings;
  }

  get count(): number {
    return this.#groups.size;
  }

  /** Takes effect at once in the state; queries and demand follow with settle(). */
  apply(record: AdmittedRecord, turn: Turn): void {
    const membership = this.#groups.get(record.group) ?? this.#create(record, turn);
    if (membership === undefined) return;
    if (record.olderHost !== undefined) {
      noteOlderHost(membership.olderHosts, record.olderHost, turn.nowMs + turn.intervals.olderHostPresentIntervalMs);
    }
    const version = compatibilityVersion(membership.olderHosts, this.#settings.version, turn.nowMs);
    const effective = inCompatibilityMode(record.type, record.sources, version);
    if (effective.reduced) turn.emit({ kind: 'count', reason: 'ignored_in_compatibility_mode' });
    this.#touched.add(membership);
    if (effective.sources === undefined) return;
    if (asksForTraffic(record)) membership.lastReporter = record.reporter;
    const outcome = applyRecord(membership.state, record.type, effective.sources, {
      nowMs: turn.nowMs,
      groupMembershipIntervalMs: turn.intervals.groupMembershipIntervalMs,
      sourceLimit: this.#settings.limits.sourcesPerGroup,
    });
    membership.unpublished ||= outcome.changed;
    this.#startQueries(membership, outcome, turn);
    if (outcome.refusedSources > 0) this.#refuseSources(record.group, turn);
  }

  /** §6.6.1: another router asks with the S flag clear. */
  heardSpecificQuery(query: IgmpQuery, turn: Turn): void {
    const membership = this.#groups.get(query.group);
    if (membership === undefined || query.suppressRouterProcessing) return;
    const { lastMemberQueryTimeMs, lastMemberQueryCount } = turn.intervals;
    // RFC 2236 §3: LMQC times the Max Response Time of the message, which the querier may have configured longer than we have.
    // Never shorter than ours: with Max Response Time 0 hosts would have no time to object.
    const loweredMs = turn.nowMs + Math.max(lastMemberQueryTimeMs, query.maxResponseTimeMs * lastMemberQueryCount);
    if (query.sources.length > 0) lowerSourceTimers(membership.state, query.sources, loweredMs);
    else lowerGroupTimer(membership.state, loweredMs);
    this.#touched.add(membership);
  }

  /** Lets everything happen that is due by now. */
  advance(turn: Turn): void {
    for (;;) {
      const membership = this.#queue.first();
      if (membership?.deadlineMs === undefined || membership.deadlineMs > turn.nowMs) return;
      if (expire(membership.state, turn.nowMs)) membership.unpublished = true;
      this.#settle(membership, turn);
    }
  }

  /** Ends the turn for all groups that records or queries touched. */
  settle(turn: Turn): void {
    for (const membership of this.#touched) this.#settle(membership, turn);
    this.#touched.clear();
  }

  /** Forgets all groups, publishing that nobody listens any more. */
  clear(turn: Turn): void {
    for (const { group, published } of this.#groups.values()) {
      if (published !== undefined) turn.emit({ kind: 'membership', group, wanted: undefined });
    }
    this.#groups.clear();
    this.#queue.clear();
  }

  nextDeadline(): number | undefined {
    return this.#queue.first()?.deadlineMs;
  }

  snapshots(nowMs: number): MembershipSnapshot[] {
    return Array.from(this.#groups.values(), (membership) => this.#snapshot(membership, nowMs));
  }

  /** undefined: the record starts no group (it asks for nothing), or the limit is reached. */
  #create(record: AdmittedRecord, turn: Turn): Membership | undefined {
    if (!asksForTraffic(record)) return undefined;
    if (this.#groups.size >= this.#settings.limits.groups) {
      turn.emit({ kind: 'count', reason: 'group_limit' });
      turn.logSparingly('group-limit', 'warn', `group limit of ${this.#settings.limits.groups} reached, new groups are refused`);
      return undefined;
    }
    const membership: Membership = {
      group: record.group,
      state: emptyGroupState(),
      olderHosts: noOlderHosts(),
      createdMs: turn.nowMs,
      lastReporter: record.reporter,
      queries: undefined,
      unpublished: false,
      published: undefined,
      deadlineMs: undefined,
      queueIndex: -1,
    };
    this.#groups.set(record.group, membership);
    return membership;
  }

  #startQueries(membership: Membership, outcome: RecordOutcome, turn: Turn): void {
    if (!turn.isQuerier) return;
    // A v1 query cannot name a group, a v2 query cannot name sources (§7.3.1): what cannot be asked is left to its timer.
    const sources = this.#settings.version === 3 ? outcome.querySources : [];
    const asksGroup = outcome.queryGroup && this.#settings.version >= 2;
    if (sources.length === 0 && !asksGroup) return;
    membership.queries ??= new LastMemberQueries();
    membership.queries.askForSources(membership.state, sources, turn.nowMs, turn.intervals);
    if (asksGroup) membership.queries.askForGroup(membership.state, turn.nowMs, turn.intervals);
  }

  #refuseSources(group: Ipv4, turn: Turn): void {
    turn.emit({ kind: 'count', reason: 'source_limit' });
    const limit = this.#settings.limits.sourcesPerGroup;
    turn.logSparingly(
      'source-limit',
      'warn',
      `source limit of ${limit} reached in group ${formatIpv4(group)}, new sources are refused`,
    );
  }

  #settle(membership: Membership, turn: Turn): void {
    this.#publish(membership, turn);
    if (isEmpty(membership.state)) {
      this.#groups.delete(membership.group);
      this.#queue.schedule(membership, undefined);
      return;
    }
    this.#sendDueQueries(membership, turn);
    const expiryMs = firstExpiryMs(membership.state);
    const queryMs = membership.queries?.nextDeadline();
    this.#queue.schedule(membership, queryMs === undefined ? expiryMs : Math.min(queryMs, expiryMs ?? queryMs));
  }

  #publish(membership: Membership, turn: Turn): void {
    if (!membership.unpublished) return;
    membership.unpublished = false;
    const wanted = demandOf(membership.state);
    if (sameDemand(wanted, membership.published)) return;
    membership.published = wanted;
    turn.emit({ kind: 'membership', group: membership.group, wanted });
  }

  /** Also when this router is the querier no more. RFC 2236 §3: "the same router keeps sending the Group-Specific Queries". */
  #sendDueQueries(membership: Membership, turn: Turn): void {
    const { queries, state, group } = membership;
    if (queries === undefined) return;
    const due = queries.due(state, { nowMs: turn.nowMs, group, settings: this.#settings, intervals: turn.intervals });
    if (queries.nextDeadline() === undefined) membership.queries = undefined;
    if (turn.sendingAddress === undefined) return;
    // §4.1.12: specific queries go to the group itself.
    for (const message of due) turn.emit({ kind: 'send', source: turn.sendingAddress, destination: group, message });
  }

  #snapshot({ group, state, olderHosts, lastReporter, createdMs }: Membership, nowMs: number): MembershipSnapshot {
    return {
      group,
      mode: state.mode,
      compatibilityVersion: compatibilityVersion(olderHosts, this.#settings.version, nowMs),
      groupTimerMs: state.mode === 'exclude' ? Math.max(0, state.groupExpiryMs - nowMs) : undefined,
      sources: Array.from(state.sources, ([source, expiryMs]) => ({
        source,
        forwarded: expiryMs !== BLOCKED,
        timerMs: expiryMs === BLOCKED ? 0 : Math.max(0, expiryMs - nowMs),
      })),
      lastReporter,
      ageMs: nowMs - createdMs,
    };
  }
}

/** Whether an unknown group, INCLUDE({}) in the tables, becomes more than that by this record. */
function asksForTraffic({ type, sources }: AdmittedRecord): boolean {
  switch (type) {
    case RecordType.MODE_IS_EXCLUDE:
    case RecordType.CHANGE_TO_EXCLUDE_MODE:
      return true;
    case RecordType.BLOCK_OLD_SOURCES:
      return false;
    default:
      return sources.length > 0;
  }
}
