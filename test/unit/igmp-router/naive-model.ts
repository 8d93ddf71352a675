/**
 * RFC 3376 §6.4, §6.6, §7.3.2 written down as plainly as the RFC has it: sets, absolute times, everything recomputed at every step.
 * Deliberately slow and without any code of the machine; a v3 querier on a link of its own. Only state and demand: no queries.
 */
import type { IgmpMessage } from '../../../control/protocol/igmp/message';

type Sources = ReadonlySet<number>;

const union = (one: Sources, other: Sources): Sources => new Set([...one, ...other]);
const minus = (one: Sources, other: Sources): Sources => new Set([...one].filter((source) => !other.has(source)));
const both = (one: Sources, other: Sources): Sources => new Set([...one].filter((source) => other.has(source)));

interface NaiveGroup {
  exclude: boolean;
  groupTimer: number;
  /** A in INCLUDE, X in EXCLUDE. */
  wanted: Sources;
  /** Y. */
  unwanted: Sources;
  /** Of `wanted`. */
  timers: Map<number, number>;
  v1: number;
  v2: number;
}

export interface NaiveValues {
  readonly groupMembershipInterval: number;
  readonly lastMemberQueryTime: number;
  readonly isSsm: (group: number) => boolean;
}

export class NaiveRouter {
  readonly groups = new Map<number, NaiveGroup>();
  readonly #values: NaiveValues;

  constructor(values: NaiveValues) {
    this.#values = values;
  }

  pass(now: number): void {
    for (const [address, group] of this.groups) {
      const gone = new Set([...group.timers].filter(([, expiry]) => expiry <= now).map(([source]) => source));
      group.wanted = minus(group.wanted, gone);
      if (group.exclude) group.unwanted = union(group.unwanted, gone);
      if (group.exclude && group.groupTimer <= now) {
        group.exclude = false;
        group.unwanted = new Set();
      }
      this.#tidy(address, group);
    }
  }

  receive(message: IgmpMessage, now: number): void {
    if (message.kind === 'query') return this.#heard(message.group, message.sources, message.suppressRouterProcessing, now);
    if (message.kind === 'report-v3') {
      for (const record of message.records) this.#record(record.group, record.type, new Set(record.sources), now);
      for (const [address, group] of this.groups) this.#tidy(address, group);
      return;
    }
    if (this.#values.isSsm(message.group)) return;
    const group = this.#group(message.group);
    if (message.kind === 'report-v1') group.v1 = now + this.#values.groupMembershipInterval;
    if (message.kind === 'report-v2') group.v2 = now + this.#values.groupMembershipInterval;
    this.#record(message.group, message.kind === 'leave' ? 3 : 2, new Set(), now);
    this.#tidy(message.group, group);
  }

  #group(address: number): NaiveGroup {
    const fresh = {
      exclude: false,
      groupTimer: 0,
      wanted: new Set<number>(),
      unwanted: new Set<number>(),
      timers: new Map(),
      v1: 0,
      v2: 0,
    };
    const group = this.groups.get(address) ?? fresh;
    this.groups.set(address, group);
    return group;
  }

  #tidy(address: number, group: NaiveGroup): void {
    for (const source of [...group.timers.keys()]) if (!group.wanted.has(source)) group.timers.delete(source);
    if (!group.exclude && group.wanted.size === 0) this.groups.delete(address);
  }

  #record(address: number, type: number, sources: Sources, now: number): void {
    if (this.#values.isSsm(address) && (type === 2 || type === 4)) return;
    const group = this.#group(address);
    const version = group.v1 > now ? 1 : group.v2 > now ? 2 : 3;
    if (version < 3 && type === 6) return;
    if (version === 1 && type === 3) return;
    const listed: Sources = version < 3 && type === 4 ? new Set() : sources;
    if (group.exclude) this.#inExclude(group, type, listed, now);
    else this.#inInclude(group, type, listed, now);
  }

  #inInclude(group: NaiveGroup, type: number, B: Sources, now: number): void {
    const A = group.wanted;
    const gmi = now + this.#values.groupMembershipInterval;
    if (type === 1 || type === 5) this.#become(group, union(A, B), new Set(), B, gmi);
    if (type === 6) this.#query(group, both(A, B), now);
    if (type === 3) {
      this.#become(group, union(A, B), new Set(), B, gmi);
      this.#query(group, minus(A, B), now);
    }
    if (type === 2 || type === 4) {
      this.#become(group, both(A, B), minus(B, A), new Set(), gmi);
      if (type === 4) this.#query(group, both(A, B), now);
      group.exclude = true;
      group.groupTimer = gmi;
    }
  }

  #inExclude(group: NaiveGroup, type: number, A: Sources, now: number): void {
    const X = group.wanted;
    const Y = group.unwanted;
    const gmi = now + this.#values.groupMembershipInterval;
    const lmqt = now + this.#values.lastMemberQueryTime;
    const unknown = minus(minus(A, X), Y);
    if (type === 1 || type === 5 || type === 3) this.#become(group, union(X, A), minus(Y, A), A, gmi);
    if (type === 3) {
      this.#query(group, minus(X, A), now);
      group.groupTimer = Math.min(group.groupTimer, lmqt);
    }
    if (type === 2) this.#become(group, minus(A, Y), both(Y, A), unknown, gmi);
    if (type === 6) this.#become(group, union(X, minus(A, Y)), Y, unknown, group.groupTimer);
    if (type === 4) this.#become(group, minus(A, Y), both(Y, A), unknown, group.groupTimer);
    if (type === 6 || type === 4) this.#query(group, minus(A, Y), now);
    if (type === 2 || type === 4) group.groupTimer = gmi;
  }

  #become(group: NaiveGroup, wanted: Sources, unwanted: Sources, timed: Sources, expiry: number): void {
    group.wanted = wanted;
    group.unwanted = unwanted;
    for (const source of timed) group.timers.set(source, expiry);
    for (const source of [...group.timers.keys()]) if (!wanted.has(source)) group.timers.delete(source);
  }

  #query(group: NaiveGroup, sources: Sources, now: number): void {
    const lmqt = now + this.#values.lastMemberQueryTime;
    for (const source of sources) group.timers.set(source, Math.min(group.timers.get(source) ?? lmqt, lmqt));
  }

  #heard(address: number, sources: readonly number[], suppress: boolean, now: number): void {
    const group = this.groups.get(address);
    if (group === undefined || suppress) return;
    if (sources.length > 0) this.#query(group, both(group.wanted, new Set(sources)), now);
    else if (group.exclude) group.groupTimer = Math.min(group.groupTimer, now + this.#values.lastMemberQueryTime);
  }
}
