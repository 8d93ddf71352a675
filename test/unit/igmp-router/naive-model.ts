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

/** What an operator decides; the plain RFC without it. */
export interface NaivePolicy {
  readonly endsAtOnce: boolean;
  readonly ignored: readonly string[];
  /** `source` undefined: a join of every source. */
  readonly permits: (group: number, reporter: number, source: number | undefined) => boolean;
  readonly groupLimit: number;
  /** Sources of each static group, none for every source. */
  readonly fixed: ReadonlyMap<number, Sources>;
}

export const NO_POLICY: NaivePolicy = {
  endsAtOnce: false,
  ignored: [],
  permits: () => true,
  groupLimit: Infinity,
  fixed: new Map(),
};

interface NaiveRecord {
  readonly type: number;
  readonly sources: Sources;
  readonly reporter: number;
}

export interface NaiveValues {
  readonly groupMembershipInterval: number;
  readonly lastMemberQueryTime: number;
  readonly isSsm: (group: number) => boolean;
}

export interface NaiveDemand {
  readonly mode: 'include' | 'exclude';
  readonly sources: readonly number[];
  readonly requested?: readonly number[];
}

export class NaiveRouter {
  readonly groups = new Map<number, NaiveGroup>();
  policy: NaivePolicy;
  readonly #values: NaiveValues;

  constructor(values: NaiveValues, policy = NO_POLICY) {
    this.#values = values;
    this.policy = policy;
  }

  /** §6.3, a static membership being a host that never leaves. */
  demands(): [number, NaiveDemand][] {
    const sorted = (sources: Sources): number[] => [...sources].sort((one, other) => one - other);
    const names = new Set([...this.groups.keys(), ...this.policy.fixed.keys()]);
    return [...names]
      .sort((one, other) => one - other)
      .map((address) => {
        const { exclude, wanted, unwanted } = this.groups.get(address) ?? {
          exclude: false,
          wanted: new Set(),
          unwanted: new Set(),
        };
        const fixed = this.policy.fixed.get(address);
        const requested = sorted(union(wanted as Sources, fixed ?? new Set()));
        if (fixed?.size === 0) return [address, { mode: 'exclude', sources: [], requested }];
        if (!exclude) return [address, { mode: 'include', sources: requested }];
        return [address, { mode: 'exclude', sources: sorted(minus(unwanted as Sources, fixed ?? new Set())), requested }];
      });
  }

  pass(now: number): void {
    for (const [address, group] of this.groups) {
      this.#letRunOut(group, now);
      this.#tidy(address, group);
    }
  }

  receive(message: IgmpMessage, now: number, reporter = 0): void {
    if (message.kind === 'query') return this.#heard(message.group, message.sources, message.suppressRouterProcessing, now);
    if (message.kind === 'report-v3') {
      for (const { group, type, sources } of message.records)
        this.#record(group, { type, sources: new Set(sources), reporter }, now);
      for (const [address, group] of this.groups) this.#tidy(address, group);
      return;
    }
    if (this.#values.isSsm(message.group) || this.policy.ignored.includes(message.kind)) return;
    const type = message.kind === 'leave' ? 3 : 2;
    const allowed = this.#admitted(message.group, { type, sources: new Set(), reporter });
    if (allowed === undefined) return;
    const group = this.#group(message.group);
    if (message.kind === 'report-v1') group.v1 = now + this.#values.groupMembershipInterval;
    if (message.kind === 'report-v2') group.v2 = now + this.#values.groupMembershipInterval;
    this.#record(message.group, { type, sources: new Set(), reporter }, now);
    this.#tidy(message.group, group);
  }

  /** What the access rules and the limit leave of a record. */
  #admitted(address: number, { type, sources, reporter }: NaiveRecord): Sources | undefined {
    const everySource = type === 2 || type === 4;
    const { permits, groupLimit, fixed } = this.policy;
    if (everySource && !permits(address, reporter, undefined)) return undefined;
    const isJoin = type === 1 || type === 3 || type === 5;
    const allowed = isJoin ? new Set([...sources].filter((source) => permits(address, reporter, source))) : sources;
    const isNew = !this.groups.has(address) && !fixed.has(address);
    const isFull = [...this.groups.keys()].filter((name) => !fixed.has(name)).length >= groupLimit;
    return isNew && isFull && (everySource || (isJoin && allowed.size > 0)) ? undefined : allowed;
  }

  #letRunOut(group: NaiveGroup, now: number): void {
    const gone = new Set([...group.timers].filter(([, expiry]) => expiry <= now).map(([source]) => source));
    group.wanted = minus(group.wanted, gone);
    for (const source of gone) group.timers.delete(source);
    if (group.exclude) group.unwanted = union(group.unwanted, gone);
    if (group.exclude && group.groupTimer <= now) {
      group.exclude = false;
      group.unwanted = new Set();
    }
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

  #record(address: number, record: NaiveRecord, now: number): void {
    const { type } = record;
    if (this.#values.isSsm(address) && (type === 2 || type === 4)) return;
    const sources = this.#admitted(address, record);
    if (sources === undefined || (!this.groups.has(address) && (type === 6 || (sources.size === 0 && type % 2 === 1)))) return;
    const group = this.#group(address);
    const version = group.v1 > now ? 1 : group.v2 > now ? 2 : 3;
    if (version < 3 && type === 6) return;
    if (version === 1 && type === 3) return;
    const listed: Sources = version < 3 && type === 4 ? new Set() : sources;
    if (group.exclude) this.#inExclude(group, type, listed, now);
    else this.#inInclude(group, type, listed, now);
    if (this.policy.endsAtOnce) this.#letRunOut(group, now);
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
    const lmqt = now + this.#leaveLatency();
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

  #leaveLatency(): number {
    return this.policy.endsAtOnce ? 0 : this.#values.lastMemberQueryTime;
  }

  #query(group: NaiveGroup, sources: Sources, now: number, latency = this.#leaveLatency()): void {
    const lmqt = now + latency;
    for (const source of sources) group.timers.set(source, Math.min(group.timers.get(source) ?? lmqt, lmqt));
  }

  #heard(address: number, sources: readonly number[], suppress: boolean, now: number): void {
    const group = this.groups.get(address);
    if (group === undefined || suppress) return;
    if (sources.length > 0) {
      this.#query(group, both(group.wanted, new Set(sources)), now, this.#values.lastMemberQueryTime);
    } else if (group.exclude) group.groupTimer = Math.min(group.groupTimer, now + this.#values.lastMemberQueryTime);
  }
}
