/**
 * The multicast routing base: what the hosts want and where sources are, turned into the routes that should be installed.
 * Pure: the reverse path is asked through a function, effects are returned. Never talks to the data plane and keeps no counters.
 *
 * (*,G)  as long as some interface wants sources it did not name (EXCLUDE). Forwards a source's first packets at once.
 * (S,G)  for each source a host named, and for each source that was seen sending ("learnt"), so that it can be counted; for one that
 *        nobody wants, a route without outgoing interfaces that lasts a while, so that its packets are dropped and counted at full speed.
 */
import type { GroupDemand } from '../protocol/igmp/router/api';
import type { Ipv4 } from '../protocol/packet/address';
import type { RouteChange, RouteKey, VportId, WantedRoute } from './route';

export interface ReversePath {
  /** The interface packets of this source must come in by; undefined when there is none. */
  incomingFor(source: Ipv4): VportId | undefined;
  /** Towards the sources nobody here knows (RFC 4605); undefined without one, or while it is down. */
  upstream(): VportId | undefined;
  /** Whether groups of this address may cross the interface at all (RFC 2365). */
  crosses(vport: VportId, group: Ipv4): boolean;
}

/** A GroupDemand made for asking. */
interface Demand {
  readonly mode: GroupDemand['mode'];
  readonly sources: ReadonlySet<Ipv4>;
}

interface GroupState {
  readonly demands: Map<VportId, Demand>;
  /** Sources seen sending, with the time of the last sign of life. */
  readonly learnt: Map<Ipv4, number>;
  /** Learnt sources that nobody wants, with the time when they are forgotten. */
  readonly unwanted: Map<Ipv4, number>;
  /** What was last asked for, by source. */
  readonly wanted: Map<Ipv4, WantedRoute>;
}

interface Stream extends RouteKey {
  readonly incoming: VportId;
  /** The source was seen sending; hosts may name any. */
  readonly sends: boolean;
}

export interface MribSettings {
  /** A learnt source is forgotten after this long without a packet. */
  readonly sourceIdleMs: number;
  /** Learnt sources in total. */
  readonly maxLearntSources: number;
  /** How long a route lasts that absorbs a stream nobody wants. Then the stream is a new one again. */
  readonly unwantedLifeMs: number;
  /** Such routes at one time: strangers must not fill the table. */
  readonly maxUnwanted: number;
}

export class Mrib {
  readonly #settings: MribSettings;
  readonly #reversePath: ReversePath;
  readonly #groups = new Map<Ipv4, GroupState>();
  #learntCount = 0;
  #unwantedCount = 0;

  constructor(settings: MribSettings, reversePath: ReversePath) {
    this.#settings = settings;
    this.#reversePath = reversePath;
  }

  /** What one interface wants of a group has changed; undefined: nothing any more. */
  setDemand(vport: VportId, group: Ipv4, demand: GroupDemand | undefined): readonly RouteChange[] {
    const state = this.#stateOf(group);
    if (demand === undefined) state.demands.delete(vport);
    else state.demands.set(vport, { mode: demand.mode, sources: new Set(demand.sources) });
    return this.#recompute(group, state);
  }

  /**
   * A packet came in that no (S,G) route covers. Creates state only where the packet came in by the source's own reverse path and
   * somebody may get it. Returns no change when the packet is of no use to anybody.
   */
  sourceSeen(source: Ipv4, group: Ipv4, vport: VportId, nowMs: number): readonly RouteChange[] {
    if (this.#reversePath.incomingFor(source) !== vport) return [];
    const state = this.#stateOf(group);
    const outgoing = this.#outgoingOf(state, { source, group, incoming: vport, sends: true });
    if (!state.learnt.has(source) && outgoing.length === 0) return this.#absorb(source, group, state, nowMs);
    if (!state.learnt.has(source)) {
      if (this.#learntCount >= this.#settings.maxLearntSources) return this.#recompute(group, state);
      this.#learntCount++;
    }
    state.learnt.set(source, nowMs);
    return this.#recompute(group, state);
  }

  /** Packets of these routes were counted since the last call. */
  sourcesActive(keys: Iterable<{ readonly source: Ipv4; readonly group: Ipv4 }>, nowMs: number): void {
    for (const { source, group } of keys) {
      const learnt = this.#groups.get(group)?.learnt;
      if (learnt?.has(source) === true) learnt.set(source, nowMs);
    }
  }

  /** Forgets the learnt sources that have been silent too long. */
  expireSources(nowMs: number): readonly RouteChange[] {
    const changes: RouteChange[] = [];
    for (const [group, state] of this.#groups) {
      const idle = [...state.learnt].filter(([, lastMs]) => nowMs - lastMs >= this.#settings.sourceIdleMs);
      const over = [...state.unwanted].filter(([, untilMs]) => untilMs <= nowMs);
      if (idle.length + over.length === 0) continue;
      for (const [source] of idle) this.#forget(state, source);
      for (const [source] of over) this.#endAbsorbing(state, source, nowMs);
      changes.push(...this.#recompute(group, state));
    }
    return changes;
  }

  /** Interfaces, addresses or unicast routes have changed: every route is thought over. */
  reversePathChanged(): readonly RouteChange[] {
    const changes: RouteChange[] = [];
    for (const [group, state] of this.#groups) changes.push(...this.#recompute(group, state));
    return changes;
  }

  wantedRoute(source: Ipv4, group: Ipv4): WantedRoute | undefined {
    return this.#groups.get(group)?.wanted.get(source);
  }

  /** Every route that should be installed now. */
  *wantedRoutes(): Iterable<WantedRoute> {
    for (const state of this.#groups.values()) yield* state.wanted.values();
  }

  #stateOf(group: Ipv4): GroupState {
    let state = this.#groups.get(group);
    if (state === undefined) {
      state = { demands: new Map(), learnt: new Map(), unwanted: new Map(), wanted: new Map() };
      this.#groups.set(group, state);
    }
    return state;
  }

  #forget(state: GroupState, source: Ipv4): void {
    if (state.learnt.delete(source)) this.#learntCount--;
    if (state.unwanted.delete(source)) this.#unwantedCount--;
  }

  /** Somebody may have come to want it since: then it is a source like others. */
  #endAbsorbing(state: GroupState, source: Ipv4, nowMs: number): void {
    const isWanted = (state.wanted.get(source)?.outgoing.length ?? 0) > 0;
    this.#forget(state, source);
    if (!isWanted || this.#learntCount >= this.#settings.maxLearntSources) return;
    this.#learntCount++;
    state.learnt.set(source, nowMs);
  }

  #absorb(source: Ipv4, group: Ipv4, state: GroupState, nowMs: number): readonly RouteChange[] {
    if (!state.unwanted.has(source)) {
      if (this.#unwantedCount >= this.#settings.maxUnwanted) return this.#recompute(group, state);
      this.#unwantedCount++;
    }
    state.unwanted.set(source, nowMs + this.#settings.unwantedLifeMs);
    return this.#recompute(group, state);
  }

  #recompute(group: Ipv4, state: GroupState): readonly RouteChange[] {
    const next = this.#routesOf(group, state);
    const changes = difference(group, state.wanted, next);
    state.wanted.clear();
    for (const [source, route] of next) state.wanted.set(source, route);
    if (state.demands.size + state.learnt.size + state.unwanted.size === 0) this.#groups.delete(group);
    return changes;
  }

  #routesOf(group: Ipv4, state: GroupState): Map<Ipv4, WantedRoute> {
    const routes = new Map<Ipv4, WantedRoute>();
    const star = this.#starRoute(group, state);
    if (star !== undefined) routes.set(0, star);
    for (const source of namedSources(state)) {
      const route = this.#sourceRoute(source, group, state);
      if (route === undefined) continue;
      // Without outgoing interfaces the route keeps (*,G) from forwarding what everybody excluded, or absorbs what nobody wants.
      if (route.outgoing.length > 0 || star !== undefined || state.unwanted.has(source)) routes.set(source, route);
      else this.#forget(state, source);
    }
    return routes;
  }

  #starRoute(group: Ipv4, state: GroupState): WantedRoute | undefined {
    const upstream = this.#reversePath.upstream();
    const incoming = upstream !== undefined && this.#reversePath.crosses(upstream, group) ? upstream : undefined;
    const outgoing = [...state.demands]
      .filter(([vport, demand]) => vport !== upstream && demand.mode === 'exclude' && this.#reversePath.crosses(vport, group))
      .map(([vport]) => vport);
    if (outgoing.length === 0) return undefined;
    return { source: 0, group, incoming, outgoing: ascending(outgoing) };
  }

  #sourceRoute(source: Ipv4, group: Ipv4, state: GroupState): WantedRoute | undefined {
    const incoming = this.#reversePath.incomingFor(source);
    if (incoming === undefined) return undefined;
    const sends = state.learnt.has(source) || state.unwanted.has(source);
    return { source, group, incoming, outgoing: this.#outgoingOf(state, { source, group, incoming, sends }) };
  }

  #outgoingOf(state: GroupState, { source, group, incoming, sends }: Stream): readonly VportId[] {
    const crosses = (vport: VportId): boolean => this.#reversePath.crosses(vport, group);
    if (!crosses(incoming)) return [];
    const upstream = this.#reversePath.upstream();
    const outgoing = [...state.demands].filter(([vport, demand]) => vport !== incoming && wants(demand, source)).map(([vport]) => vport);
    // RFC 4605 4.2: what a downstream source sends goes upstream always.
    if (upstream !== undefined && upstream !== incoming && sends) outgoing.push(upstream);
    return ascending(outgoing.filter(crosses));
  }
}

/** RFC 3376 6.3 */
function wants(demand: Demand, source: Ipv4): boolean {
  return demand.sources.has(source) === (demand.mode === 'include');
}

function namedSources(state: GroupState): Set<Ipv4> {
  const sources = new Set([...state.learnt.keys(), ...state.unwanted.keys()]);
  for (const demand of state.demands.values()) for (const source of demand.sources) sources.add(source);
  return sources;
}

function ascending(vports: readonly VportId[]): readonly VportId[] {
  return [...new Set(vports)].sort((a, b) => a - b);
}

function difference(group: Ipv4, old: ReadonlyMap<Ipv4, WantedRoute>, next: ReadonlyMap<Ipv4, WantedRoute>): readonly RouteChange[] {
  const changes: RouteChange[] = [];
  // (S,G) before (*,G): a source somebody excludes must not slip through a (*,G) route that comes first.
  const ordered = [...next.values()].sort((a, b) => Number(a.source === 0) - Number(b.source === 0));
  for (const route of ordered) {
    const before = old.get(route.source);
    if (before === undefined || !sameRoute(before, route)) changes.push({ kind: 'set', route });
  }
  const gone = [...old.keys()].filter((source) => !next.has(source)).sort((a, b) => Number(b === 0) - Number(a === 0));
  for (const source of gone) changes.push({ kind: 'remove', key: { source, group } });
  return changes;
}

function sameRoute(a: WantedRoute, b: WantedRoute): boolean {
  return a.incoming === b.incoming && a.ttlThreshold === b.ttlThreshold && a.outgoing.length === b.outgoing.length && a.outgoing.every((vport, i) => vport === b.outgoing[i]);
}
