/**
 * The routes that are installed: writes changes so that packets see the old route or the new one, never neither; keeps the counter slot
 * and the replication group of each. Changes of one kind that follow each other are one system call. When something is refused the route
 * that was there stays.
 */
import type { BpfMap } from '#bindings';
import { errorText } from '../errors';
import { isWanted, nameOf, sameRoute, type RouteChange, type RouteKey, type VportId, type WantedRoute } from '../mrib/route';
import type { Abi } from './abi';
import type { RouteProblem } from './api';
import type { CounterSlots } from './counter-slots';
import type { Group, GroupPool } from './group-pool';
import type { MemberTable } from './member-table';
import type { PrefixRoutes } from './prefix-routes';
import type { RouteIndex } from './route-index';
import type { RouteWords } from './route-words';
import { RouteWriter, type WritableRoute } from './route-writer';
import type { ThresholdTable } from './threshold-table';

export interface RouteEntry {
  readonly route: WantedRoute;
  readonly counter: number;
  /** undefined: no outgoing interface. */
  readonly group: Group | undefined;
  readonly installedAtMs: number;
  /** Counts installations: of two routes that had the same counter one after the other, the later has the greater. */
  readonly serial: number;
  readonly service: Service;
}

/** What its outgoing ports ask of the programs. */
interface Service {
  /** Left to the tc program. */
  readonly viaTc: boolean;
  /** Some of them are VLANs. */
  readonly toVlans: boolean;
}

/** In the maps. */
export interface RoutePlace {
  readonly counter: number;
  /** Index of its group. */
  readonly group: number;
}

interface Circumstances {
  readonly nowMs: number;
  readonly places: ReadonlyMap<string, RoutePlace>;
}

const ANYWHERE: ReadonlyMap<string, RoutePlace> = new Map();
/** Routes in one piece of misplaced(). */
const PIECE = 1024;

export interface RouteTableParts {
  readonly map: BpfMap;
  readonly index: RouteIndex;
  readonly thresholds: ThresholdTable;
  readonly words: RouteWords;
  readonly ranges: PrefixRoutes;
  readonly groups: GroupPool;
  readonly slots: CounterSlots;
  readonly members: MemberTable;
  readonly limit: number;
  /** Ports that XDP cannot send to: routes to them are left to the tc program. Changes as ports do. */
  readonly tcPorts: ReadonlySet<VportId>;
  /** Ports that are VLANs. Changes as ports do. */
  readonly vlanPorts: ReadonlySet<VportId>;
  /** A route that was not there before. */
  readonly onInstalled: (entry: RouteEntry) => void;
  /** A route has left the forwarder. */
  readonly onRemoved: (entry: RouteEntry) => void;
}

/** Ready to be written: counter and group are its own. */
interface Prepared {
  readonly name: string;
  readonly route: WantedRoute;
  readonly before: RouteEntry | undefined;
  readonly counter: number;
  readonly group: Group | undefined;
  readonly service: Service;
}

export class RouteTable {
  readonly #parts: RouteTableParts;
  readonly #writer: RouteWriter;
  readonly #entries = new Map<string, RouteEntry>();
  readonly #byCounter: (RouteEntry | undefined)[] = [];
  #serial = 0;
  #touched: Set<string> | undefined;

  constructor(abi: Abi, parts: RouteTableParts) {
    this.#parts = parts;
    this.#writer = new RouteWriter(abi, parts);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Of the route installed last. */
  get serial(): number {
    return this.#serial;
  }

  entries(): IterableIterator<[string, RouteEntry]> {
    return this.#entries.entries();
  }

  /** By nameOf(). */
  entry(name: string): RouteEntry | undefined {
    return this.#entries.get(name);
  }

  entryOfCounter(counter: number): RouteEntry | undefined {
    return this.#byCounter[counter];
  }

  /** No route has this counter or a greater one. */
  get counterSpan(): number {
    return this.#byCounter.length;
  }

  /** It is in the kernel already. undefined when its counter is another route's, so that it cannot be one of ours. */
  adopt(route: WantedRoute, { counter, group, service }: Pick<RouteEntry, 'counter' | 'group' | 'service'>, nowMs: number): RouteEntry | undefined {
    if (this.#byCounter[counter] !== undefined) return undefined;
    const entry: RouteEntry = { route, counter, group, installedAtMs: nowMs, serial: ++this.#serial, service };
    this.#entries.set(nameOf(route), entry);
    this.#byCounter[counter] = entry;
    this.#parts.members.adopt(counter, route.local);
    if (route.ttlThreshold !== undefined) this.#parts.thresholds.adopt(counter, route.ttlThreshold);
    return entry;
  }

  /** From now on names of routes that are written or removed are kept, until endWatch(). */
  beginWatch(): void {
    this.#touched = new Set();
  }

  endWatch(): void {
    this.#touched = undefined;
  }

  /** Since beginWatch(). */
  wasTouched(name: string): boolean {
    return this.#touched?.has(name) === true;
  }

  /** Key and value of a route as the kernel should have them. */
  wordsOf(entry: RouteEntry): { readonly key: bigint; readonly value: bigint } {
    return this.#writer.wordsOf(writableOf(entry));
  }

  /** Once more, as they are: somebody else has changed them in the kernel. */
  rewrite(entries: readonly RouteEntry[], nowMs: number): void {
    for (const refusal of this.#writer.set(entries.map(writableOf), nowMs).values()) throw refusal;
  }

  /** One that somebody else has written. */
  removeStranger(key: RouteKey, nowMs: number): void {
    this.#writer.remove([key], nowMs);
  }

  /**
   * In order. Returns what was refused. What is installed as it is wanted is not written again. `places`: by nameOf(), what new
   * routes are to have where it is to be had.
   */
  apply(changes: readonly RouteChange[], nowMs: number, places: ReadonlyMap<string, RoutePlace> = ANYWHERE): readonly RouteProblem[] {
    const problems: RouteProblem[] = [];
    for (let at = 0; at < changes.length; ) {
      const run = runFrom(changes, at);
      at = run.end;
      this.#setAll(run.set, { nowMs, places }, problems);
      this.#removeAll(run.removed, nowMs, problems);
    }
    return problems;
  }

  /**
   * Routes that have to be served otherwise since tcPorts or vlanPorts has changed, in pieces: each to be applied before the next one is asked for, with
   * other things in between.
   */
  *misplaced(): Iterable<readonly RouteChange[]> {
    let piece: RouteChange[] = [];
    for (const { route, service } of this.#entries.values()) {
      if (this.#isServedAs(route, service)) continue;
      piece.push({ kind: 'set', route });
      if (piece.length < PIECE) continue;
      yield piece;
      piece = [];
    }
    if (piece.length > 0) yield piece;
  }

  #serviceOf({ local = [], outgoing }: WantedRoute): Service {
    const { tcPorts, vlanPorts } = this.#parts;
    const toVlans = vlanPorts.size > 0 && outgoing.some((vport) => vlanPorts.has(vport));
    return { viaTc: local.length > 0 || (tcPorts.size > 0 && outgoing.some((vport) => tcPorts.has(vport))), toVlans };
  }

  #isServedAs(route: WantedRoute, { viaTc, toVlans }: Service): boolean {
    const needed = this.#serviceOf(route);
    return viaTc === needed.viaTc && toVlans === needed.toVlans;
  }

  #holds(name: string, route: WantedRoute): boolean {
    const entry = this.#entries.get(name);
    if (entry === undefined || !sameRoute(entry.route, route) || !this.#isServedAs(route, entry.service)) return false;
    // Not one that was adopted with a group that stands for no set.
    return entry.group === undefined || entry.group.key === route.outgoing.join();
  }

  #setAll(routes: ReadonlyMap<string, WantedRoute>, { nowMs, places }: Circumstances, problems: RouteProblem[]): void {
    const prepared: Prepared[] = [];
    let added = 0;
    for (const [name, route] of routes) {
      if (this.#holds(name, route)) continue;
      const found = this.#prepare(name, route, { nowMs, places, added });
      if (typeof found === 'string') problems.push(problemOf(route, found));
      else {
        prepared.push(found);
        if (found.before === undefined) added++;
      }
    }
    const refusals = this.#writer.set(
      prepared.map(writableOf),
      nowMs,
    );
    prepared.forEach((one, i) => {
      const refusal = refusals.get(i);
      if (refusal === undefined) return this.#commit(one, nowMs);
      this.#giveBack(one, nowMs);
      problems.push(problemOf(one.route, `write the route: ${errorText(refusal)}`));
    });
  }

  /** The problem when it cannot be had. `added`: routes prepared before this one that are not in the table yet. */
  #prepare(name: string, route: WantedRoute, { nowMs, places, added }: Circumstances & { readonly added: number }): Prepared | string {
    const { groups, slots, limit } = this.#parts;
    const place = places.get(name);
    const before = this.#entries.get(name);
    if (before === undefined && this.#entries.size + added >= limit) return `the route table is full (limits.routes is ${limit})`;
    const counter = before !== undefined && keepsCounter(before, route) ? before.counter : slots.take(nowMs, place?.counter);
    if (counter === undefined) return 'every counter is in use or resting; it will be tried again';
    const prepared = { name, route, before, counter, service: this.#serviceOf(route) };
    const refusal = this.#addMembers(prepared);
    if (refusal === undefined && route.outgoing.length === 0) return { ...prepared, group: undefined };
    const group = refusal ?? this.#acquire(route, nowMs, place?.group);
    if (typeof group === 'object') return { ...prepared, group };
    this.#giveBack({ ...prepared, group: undefined }, nowMs);
    if (group !== undefined) return group;
    if (groups.used < groups.limit) return `replication groups for ${route.outgoing.length} interfaces are being made; it is tried again when they are there`;
    return `every replication group is in use (limits.replication_groups is ${groups.limit})`;
  }

  /** A sentence when they were refused. */
  #addMembers({ route, counter }: Pick<Prepared, 'route' | 'counter'>): string | undefined {
    try {
      this.#parts.members.add(counter, route.local);
      return undefined;
    } catch (error) {
      return `note the interfaces on which this machine is a member: ${errorText(error)}`;
    }
  }

  /** A sentence when the kernel refused a slot, undefined when there is no group left. */
  #acquire(route: WantedRoute, nowMs: number, wanted: number | undefined): Group | string | undefined {
    try {
      return this.#parts.groups.acquire(route.outgoing, nowMs, wanted);
    } catch (error) {
      return `write the outgoing interfaces: ${errorText(error)}`;
    }
  }

  #commit({ name, route, before, counter, group, service }: Prepared, nowMs: number): void {
    const { slots, groups, members, thresholds, onInstalled, onRemoved } = this.#parts;
    if (before?.group !== undefined) groups.release(before.group, nowMs);
    const isNew = before?.counter !== counter;
    if (before !== undefined) members.remove(before.counter, before.route.local, isNew ? [] : route.local);
    if (before !== undefined && isNew) {
      this.#freeCounter(before.counter);
      onRemoved(before);
      slots.release(before.counter, nowMs);
    }
    const { installedAtMs, serial } = before === undefined || isNew ? { installedAtMs: nowMs, serial: ++this.#serial } : before;
    const entry: RouteEntry = { route, counter, group, installedAtMs, serial, service };
    this.#touched?.add(name);
    this.#entries.set(name, entry);
    this.#byCounter[counter] = entry;
    if ((route.ttlThreshold ?? 0) === 0) thresholds.forget(counter);
    if (isNew) onInstalled(entry);
  }

  #freeCounter(counter: number): void {
    this.#byCounter[counter] = undefined;
    this.#parts.words.forget(counter);
    this.#parts.thresholds.forget(counter);
  }

  #giveBack({ route, before, counter, group }: Prepared, nowMs: number): void {
    const { groups, members, slots } = this.#parts;
    const isNew = before?.counter !== counter;
    if (group !== undefined) groups.release(group, nowMs);
    members.remove(counter, route.local, isNew ? [] : before.route.local);
    if (isNew) slots.giveBack(counter);
  }

  #removeAll(keys: ReadonlyMap<string, RouteKey>, nowMs: number, problems: RouteProblem[]): void {
    const found = [...keys].filter(([name]) => this.#entries.has(name));
    const refusals = this.#writer.remove(found.map(([, key]) => key), nowMs);
    found.forEach(([name, key], i) => {
      const refusal = refusals.get(i);
      if (refusal === undefined) this.#forget(name, nowMs);
      else problems.push(problemOf(key, `remove the route: ${errorText(refusal)}`));
    });
  }

  #forget(name: string, nowMs: number): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#touched?.add(name);
    this.#entries.delete(name);
    this.#freeCounter(entry.counter);
    this.#parts.onRemoved(entry);
    this.#parts.members.remove(entry.counter, entry.route.local);
    this.#parts.slots.release(entry.counter, nowMs);
    if (entry.group !== undefined) this.#parts.groups.release(entry.group, nowMs);
  }
}

function writableOf({ route, counter, group, service }: Pick<RouteEntry, 'route' | 'counter' | 'group' | 'service'>): WritableRoute {
  return { route, counter, group: group?.index ?? 0, viaTc: service.viaTc, toVlans: service.toVlans };
}

/** What was absorbed while nobody wanted it is no part of the flow: a first member finds its figures at zero. */
function keepsCounter(before: RouteEntry, route: WantedRoute): boolean {
  return isWanted(before.route) === isWanted(route);
}

function problemOf({ source, group, sourceLength, groupLength }: RouteKey, problem: string): RouteProblem {
  const lengths = { ...(sourceLength === undefined ? {} : { sourceLength }), ...(groupLength === undefined ? {} : { groupLength }) };
  return { source, group, ...lengths, problem };
}

interface Run {
  /** By nameOf(): of several changes of one route the last stands. One of the two is empty. */
  readonly set: ReadonlyMap<string, WantedRoute>;
  readonly removed: ReadonlyMap<string, RouteKey>;
  /** Where the next run begins. */
  readonly end: number;
}

/** Changes of one kind that follow each other. */
function runFrom(changes: readonly RouteChange[], start: number): Run {
  const set = new Map<string, WantedRoute>();
  const removed = new Map<string, RouteKey>();
  const kind = changes[start]?.kind;
  let end = start;
  for (let change = changes[end]; change?.kind === kind && change !== undefined; change = changes[++end]) {
    if (change.kind === 'set') set.set(nameOf(change.route), change.route);
    else removed.set(nameOf(change.key), change.key);
  }
  return { set, removed, end };
}
