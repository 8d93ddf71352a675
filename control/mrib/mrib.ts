/**
 * The multicast routing base: what the hosts want and where sources are, turned into the routes that should be installed.
 * Pure: the reverse path is asked through an interface, effects are returned. Never talks to the data plane and keeps no counters.
 *
 * (*,G)  as long as some interface wants sources it did not name (EXCLUDE). Forwards a source's first packets at once.
 * (S,G)  for each source a host named, and for each source that was seen sending, so that it can be counted; for one that nobody wants,
 *        a route without outgoing interfaces that lasts a while, so that its packets are dropped and counted at full speed.
 * Static rules replace all of these for the groups they speak of.
 */
import type { GroupDemand } from '../protocol/igmp/router/api';
import { prefixContains, type Ipv4 } from '../protocol/packet/address';
import { dynamicRoutes, outgoingOf, staticRoutes, staticSourceRoute, withLocal } from './group-routes';
import { isUseless, newGroupState, wants, wishesOf, withDemand, type Demand, type GroupState, type SeenSource } from './group-state';
import { IdleQueue } from './idle-queue';
import { RangeRoutes } from './range-routes';
import type { ReversePath } from './reverse-path';
import { isRange, isWanted, nameOf, rangeOf, sameRoute, type RouteChange, type RouteKey, type VportId, type WantedRoute } from './route';
import { StaticRules, type RuleChange, type StaticRule } from './static-rules';

export interface MribSettings {
  /** A source that was seen is forgotten after this long without a packet. */
  readonly sourceIdleMs: number;
  /** Sources seen sending, in total. */
  readonly maxLearntSources: number;
  /** How long a route lasts that absorbs a stream nobody wants. Then the stream is a new one again. */
  readonly unwantedLifeMs: number;
  /** Such routes at one time: strangers must not fill the table. */
  readonly maxUnwanted: number;
}

/** Signs of life are this late at most: a source silent for longer may come by another interface from now on. */
const SILENT_MS = 3_000;

export class Mrib {
  #settings: MribSettings;
  readonly #path: ReversePath;
  readonly #groups = new Map<Ipv4, GroupState>();
  readonly #usualDemands = new Map<VportId, readonly Demand[]>();
  readonly #learntQueue: IdleQueue;
  readonly #absorbedQueue: IdleQueue;
  readonly #rules = new StaticRules();
  readonly #ranges = new RangeRoutes();
  /** The groups that are still to be thought over; undefined: none. */
  #walk: Iterator<[Ipv4, GroupState]> | undefined;
  /** Once more from the first one, when the walk is over. */
  #walksAgain = false;
  #learntCount = 0;
  #absorbedCount = 0;

  constructor(settings: MribSettings, path: ReversePath) {
    this.#settings = settings;
    this.#path = path;
    this.#learntQueue = new IdleQueue(settings.sourceIdleMs);
    this.#absorbedQueue = new IdleQueue(settings.unwantedLifeMs);
  }

  /** For sources seen from now on; a longer idle time is that of the known ones too. */
  configure(settings: MribSettings): void {
    this.#settings = settings;
    this.#learntQueue.setLife(settings.sourceIdleMs);
    this.#absorbedQueue.setLife(settings.unwantedLifeMs);
  }

  /** What one interface wants of a group has changed; undefined: nothing any more. */
  setDemand(vport: VportId, group: Ipv4, demand: GroupDemand | undefined): readonly RouteChange[] {
    const state = this.#stateOf(group);
    state.demands = this.#withDemand(state.demands, vport, demand);
    return this.#recompute(group, state);
  }

  /** What the machine itself wants on this interface; undefined: nothing any more. */
  setLocalDemand(vport: VportId, group: Ipv4, demand: GroupDemand | undefined): readonly RouteChange[] {
    const state = this.#stateOf(group);
    state.local = withDemand(state.local, vport, demand);
    return this.#recompute(group, state);
  }

  /** What each interface with hosts wants of the group; the machine itself is a host there like others. */
  demandsOf(group: Ipv4): readonly Demand[] {
    const state = this.#groups.get(group);
    return state === undefined ? [] : wishesOf(state).filter(({ vport }) => !this.#path.isUpstream(vport));
  }

  /** Groups that some interface wants. */
  *wantedGroups(): Iterable<Ipv4> {
    for (const [group, { demands, local }] of this.#groups) if (demands.length + local.length > 0) yield group;
  }

  /** Costs what these rules cost, however many there are; for ranges of groups the rest follows with thinkOver(). */
  changeStaticRules(rules: readonly RuleChange[]): readonly RouteChange[] {
    const touched = new TouchedGroups();
    const changes: RouteChange[] = [];
    for (const rule of rules) {
      const flow = rule.kind === 'set' ? rule.rule : rule.flow;
      const { group, source } = flow;
      const hadRanges = this.#rules.hasSourceRanges(group.address);
      this.#rules.change(rule);
      append(changes, this.#ranges.follow(flow, this.#rules));
      if (group.length < 32) this.reversePathChanged();
      else if (source?.length === 32) touched.source(source.address, group.address);
      else if (source === undefined || hadRanges !== this.#rules.hasSourceRanges(group.address)) {
        append(changes, this.#ranges.follow({ group, source: undefined }, this.#rules));
        touched.all(group.address);
      } else touched.group(group.address);
    }
    for (const [group, sources] of touched.groups) append(changes, this.#followRules(group, sources));
    if (!this.isThinking) append(changes, this.#ranges.release());
    return changes;
  }

  isStatic({ group, groupLength }: RouteKey): boolean {
    return groupLength !== undefined || this.#rules.covers(group);
  }

  /**
   * A packet came in that no (S,G) route covers, or not by the interface of its route. Creates state only where the packet came in by a
   * reverse path of the source's own and somebody may get it. Returns no change when the packet is of no use to anybody.
   */
  sourceSeen(source: Ipv4, group: Ipv4, vport: VportId, nowMs: number): readonly RouteChange[] {
    if (this.#rules.covers(group)) return this.#seenByRule(source, group, vport, nowMs);
    const candidates = this.#path.incomingFor(source, group);
    if (!candidates.includes(vport)) return [];
    const state = this.#stateOf(group);
    const known = state.seen?.get(source);
    // Two upstreams carry the same stream: the one that came first stays until it is silent.
    if (known !== undefined && known.vport !== vport && candidates.includes(known.vport) && nowMs - known.lastMs < SILENT_MS) return [];
    const outgoing = outgoingOf(state, { source, group, incoming: vport, candidates, sends: true }, this.#path);
    const isForMachine = state.local.some((demand) => demand.vport === vport && wants(demand, source));
    const isUseful = outgoing.length > 0 || isForMachine || (known !== undefined && !known.isAbsorbed);
    this.#see(state, { source, group, vport, isAbsorbed: !isUseful, lastMs: nowMs });
    return this.#recompute(group, state);
  }

  /** Packets of these routes were counted since the last call. */
  sourcesActive(keys: Iterable<{ readonly source: Ipv4; readonly group: Ipv4 }>, nowMs: number): void {
    for (const { source, group } of keys) {
      const seen = this.#groups.get(group)?.seen?.get(source);
      if (seen?.isAbsorbed === false) seen.lastMs = nowMs;
    }
  }

  /** Forgets the sources that have been silent too long. */
  expireSources(nowMs: number): readonly RouteChange[] {
    const isKnown = (seen: SeenSource): boolean => this.#groups.get(seen.group)?.seen?.get(seen.source) === seen;
    const touched = new Set<Ipv4>();
    for (const seen of this.#learntQueue.takeIdle(nowMs, isKnown)) {
      this.#forget(this.#stateOf(seen.group), seen.source);
      touched.add(seen.group);
    }
    for (const seen of this.#absorbedQueue.takeIdle(nowMs, isKnown)) {
      this.#endAbsorbing(this.#stateOf(seen.group), seen, nowMs);
      touched.add(seen.group);
    }
    return [...touched].flatMap((group) => this.#recompute(group, this.#stateOf(group)));
  }

  /** Interfaces, addresses or unicast routes have changed: every dynamic route is to be thought over. */
  reversePathChanged(): void {
    if (this.#walk === undefined) this.#walk = this.#groups.entries();
    else this.#walksAgain = true;
  }

  /** Some groups have not been thought over yet. */
  get isThinking(): boolean {
    return this.#walk !== undefined;
  }

  /** So many of them, so that others have their turn in between. */
  thinkOver(groups: number): readonly RouteChange[] {
    const changes: RouteChange[] = [];
    for (let left = groups; left > 0 && this.#walk !== undefined; left--) {
      const next = this.#walk.next();
      if (next.done === true) append(changes, this.#endWalk());
      else {
        const [group, state] = next.value;
        // What rules decide depends on nothing else.
        if (!state.isStatic || !this.#rules.covers(group)) append(changes, this.#recompute(group, state));
      }
    }
    return changes;
  }

  wantedRoute(source: Ipv4, group: Ipv4): WantedRoute | undefined {
    const state = this.#groups.get(group);
    return state === undefined ? undefined : wantedOf(state, source);
  }

  isWanted(key: RouteKey): boolean {
    return this.routeOf(key) !== undefined;
  }

  /** What a packet by this interface would make of the route, if it were the first of its source; changes nothing. */
  preview(source: Ipv4, group: Ipv4, incoming: VportId): WantedRoute | undefined {
    const state = this.#groups.get(group) ?? newGroupState();
    const candidates = this.#path.incomingFor(source, group);
    if (this.#rules.covers(group) || !candidates.includes(incoming)) return undefined;
    const outgoing = outgoingOf(state, { source, group, incoming, candidates, sends: true }, this.#path);
    return withLocal({ source, group, incoming, outgoing }, state);
  }

  /** The rule that decides for these packets, instead of what hosts want. */
  ruleFor(source: Ipv4, group: Ipv4): StaticRule | undefined {
    return this.#rules.match(source, group);
  }

  /** The range that takes them where no (S,G) and no (*,G) does: of the longest group, then of the longest source. */
  rangeFor(source: Ipv4, group: Ipv4): WantedRoute | undefined {
    let best: WantedRoute | undefined;
    for (const route of this.#ranges.routes) {
      const range = rangeOf(route);
      const takes = prefixContains(range.group, group) && prefixContains(range.source, source);
      if (takes && (best === undefined || isLonger(range, rangeOf(best)))) best = route;
    }
    return best;
  }

  /** As wantedRoute(), for ranges too. */
  routeOf(key: RouteKey): WantedRoute | undefined {
    return isRange(key) ? this.#ranges.get(nameOf(key)) : this.wantedRoute(key.source, key.group);
  }

  /** Every route that should be installed now. */
  *wantedRoutes(): Iterable<WantedRoute> {
    for (const { star, bySource } of this.#groups.values()) {
      if (star !== undefined) yield star;
      if (bySource !== undefined) yield* bySource.values();
    }
    yield* this.#ranges.routes;
  }

  /** Most groups are wanted by one interface, from every source: they share what says so. */
  #withDemand(demands: readonly Demand[], vport: VportId, demand: GroupDemand | undefined): readonly Demand[] {
    const isUsual = demand?.mode === 'exclude' && demand.sources.length === 0 && demands.every((one) => one.vport === vport);
    if (!isUsual) return withDemand(demands, vport, demand);
    const usual = this.#usualDemands.get(vport) ?? withDemand([], vport, { mode: 'exclude', sources: [], requested: [] });
    this.#usualDemands.set(vport, usual);
    return usual;
  }

  #stateOf(group: Ipv4): GroupState {
    let state = this.#groups.get(group);
    if (state === undefined) {
      state = newGroupState();
      this.#groups.set(group, state);
    }
    return state;
  }

  /** Sources of a static (*,G) get routes of their own, to be counted. */
  #seenByRule(source: Ipv4, group: Ipv4, vport: VportId, nowMs: number): readonly RouteChange[] {
    const state = this.#stateOf(group);
    if (state.star?.incoming === vport && this.#rules.match(source, group)?.source === undefined) {
      this.#see(state, { source, group, vport, isAbsorbed: false, lastMs: nowMs });
    }
    return this.#recompute(group, state);
  }

  /** Within the limits. */
  #see(state: GroupState, seen: SeenSource): void {
    const known = state.seen?.get(seen.source);
    if (known?.isAbsorbed === seen.isAbsorbed && known.vport === seen.vport) {
      known.lastMs = seen.lastMs;
      return;
    }
    if (known !== undefined) this.#forget(state, seen.source);
    if (seen.isAbsorbed ? this.#absorbedCount >= this.#settings.maxUnwanted : this.#learntCount >= this.#settings.maxLearntSources) return;
    if (seen.isAbsorbed) this.#absorbedCount++;
    else this.#learntCount++;
    state.seen ??= new Map();
    state.seen.set(seen.source, seen);
    (seen.isAbsorbed ? this.#absorbedQueue : this.#learntQueue).add(seen);
  }

  #forget(state: GroupState, source: Ipv4): void {
    const seen = state.seen?.get(source);
    if (seen === undefined) return;
    state.seen?.delete(source);
    if (state.seen?.size === 0) state.seen = undefined;
    if (seen.isAbsorbed) this.#absorbedCount--;
    else this.#learntCount--;
  }

  /** Somebody may have come to want it since: then it is a source like others. */
  #endAbsorbing(state: GroupState, seen: SeenSource, nowMs: number): void {
    const route = wantedOf(state, seen.source);
    this.#forget(state, seen.source);
    if (route !== undefined && isWanted(route)) this.#see(state, { ...seen, isAbsorbed: false, lastMs: nowMs });
  }

  #recompute(group: Ipv4, state: GroupState): readonly RouteChange[] {
    const isStatic = this.#rules.covers(group);
    const { star, bySource, useless } = isStatic ? staticRoutes(group, state, this.#rules) : dynamicRoutes(group, state, this.#path);
    for (const source of useless) this.#forget(state, source);
    const changes = difference(group, state, { star, bySource });
    state.isStatic = isStatic;
    state.star = star;
    state.bySource = bySource;
    if (isUseless(state)) this.#groups.delete(group);
    return changes;
  }

  /** The rules for these sources of the group have changed; undefined: those for all. */
  #followRules(group: Ipv4, sources: ReadonlySet<Ipv4> | undefined): readonly RouteChange[] {
    const state = this.#stateOf(group);
    if (sources === undefined || state.isStatic !== this.#rules.covers(group)) return this.#recompute(group, state);
    const changes: RouteChange[] = [];
    for (const source of sources) {
      const [before, route] = [state.bySource?.get(source), staticSourceRoute(source, group, state, this.#rules)];
      if (route === undefined) this.#forget(state, source);
      if (setSource(state, source, route)) changes.push({ kind: 'remove', key: { source, group } });
      else if (route !== undefined && (before === undefined || !sameRoute(before, route))) changes.push({ kind: 'set', route });
    }
    if (isUseless(state)) this.#groups.delete(group);
    return changes;
  }

  #endWalk(): readonly RouteChange[] {
    this.#walk = this.#walksAgain ? this.#groups.entries() : undefined;
    this.#walksAgain = false;
    return this.#walk === undefined ? this.#ranges.release() : [];
  }
}

/** What a list of changed rules concerns. */
class TouchedGroups {
  /** Sources of each; undefined: all. */
  readonly groups = new Map<Ipv4, Set<Ipv4> | undefined>();

  all(group: Ipv4): void {
    this.groups.set(group, undefined);
  }

  /** Whether there are rules for it at all. */
  group(group: Ipv4): void {
    if (!this.groups.has(group)) this.groups.set(group, new Set());
  }

  source(source: Ipv4, group: Ipv4): void {
    this.group(group);
    this.groups.get(group)?.add(source);
  }
}

type Range = ReturnType<typeof rangeOf>;

function isLonger(one: Range, other: Range): boolean {
  return one.group.length === other.group.length ? one.source.length > other.source.length : one.group.length > other.group.length;
}

type Routes = Pick<GroupState, 'star' | 'bySource'>;

function wantedOf({ star, bySource }: Routes, source: Ipv4): WantedRoute | undefined {
  return source === 0 ? star : bySource?.get(source);
}

function difference(group: Ipv4, old: Routes, next: Routes): readonly RouteChange[] {
  const changes: RouteChange[] = [];
  const set = (route: WantedRoute, before: WantedRoute | undefined): void => {
    if (before === undefined || !sameRoute(before, route)) changes.push({ kind: 'set', route });
  };
  // (S,G) before (*,G), which goes before they do: a source somebody excludes must not slip through a (*,G) route.
  for (const route of next.bySource?.values() ?? []) set(route, old.bySource?.get(route.source));
  if (next.star !== undefined) set(next.star, old.star);
  else if (old.star !== undefined) changes.push({ kind: 'remove', key: { source: 0, group } });
  for (const source of old.bySource?.keys() ?? []) if (next.bySource?.has(source) !== true) changes.push({ kind: 'remove', key: { source, group } });
  return changes;
}

/** Whether there was one, and now there is none. */
function setSource(state: GroupState, source: Ipv4, route: WantedRoute | undefined): boolean {
  if (route !== undefined) {
    state.bySource ??= new Map();
    state.bySource.set(source, route);
    return false;
  }
  const removed = state.bySource?.delete(source) === true;
  if (state.bySource?.size === 0) state.bySource = undefined;
  return removed;
}

/** Lists of any length: more than the arguments that a call takes. */
function append(changes: RouteChange[], more: readonly RouteChange[]): void {
  for (const change of more) changes.push(change);
}
