/**
 * The multicast routing base: what the hosts want and where sources are, turned into the routes that should be installed.
 * Pure: the reverse path is asked through a function, effects are returned. Never talks to the data plane and keeps no counters.
 *
 * (*,G)  as long as some interface wants sources it did not name (EXCLUDE). Forwards a source's first packets at once.
 * (S,G)  for each source a host named, and for each source that was seen sending ("learnt"), so that it can be counted.
 */
import type { GroupDemand } from '../protocol/igmp/router/api';
import type { Ipv4 } from '../protocol/packet/address';
import type { RouteChange, VportId, WantedRoute } from './route';

export interface ReversePath {
  /** The interface packets of this source must come in by; undefined when there is none. */
  incomingFor(source: Ipv4): VportId | undefined;
  /** Towards the sources nobody here knows (RFC 4605); undefined without one, or while it is down. */
  upstream(): VportId | undefined;
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
  /** What was last asked for, by source. */
  readonly wanted: Map<Ipv4, WantedRoute>;
}

export interface MribSettings {
  /** A learnt source is forgotten after this long without a packet. */
  readonly sourceIdleMs: number;
  /** Learnt sources in total. */
  readonly maxLearntSources: number;
}

export class Mrib {
  readonly #settings: MribSettings;
  readonly #reversePath: ReversePath;
  readonly #groups = new Map<Ipv4, GroupState>();
  #learntCount = 0;

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
      if (idle.length === 0) continue;
      for (const [source] of idle) this.#forget(state, source);
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

  /** Every route that should be installed now. */
  *wantedRoutes(): Iterable<WantedRoute> {
    for (const state of this.#groups.values()) yield* state.wanted.values();
  }

  #stateOf(group: Ipv4): GroupState {
    let state = this.#groups.get(group);
    if (state === undefined) {
      state = { demands: new Map(), learnt: new Map(), wanted: new Map() };
      this.#groups.set(group, state);
    }
    return state;
  }

  #forget(state: GroupState, source: Ipv4): void {
    if (state.learnt.delete(source)) this.#learntCount--;
  }

  #recompute(group: Ipv4, state: GroupState): readonly RouteChange[] {
    const next = this.#routesOf(group, state);
    const changes = difference(group, state.wanted, next);
    state.wanted.clear();
    for (const [source, route] of next) state.wanted.set(source, route);
    if (state.demands.size === 0 && state.learnt.size === 0) this.#groups.delete(group);
    return changes;
  }

  #routesOf(group: Ipv4, state: GroupState): Map<Ipv4, WantedRoute> {
    const routes = new Map<Ipv4, WantedRoute>();
    const star = this.#starRoute(group, state);
    if (star !== undefined) routes.set(0, star);
    for (const source of namedSources(state)) {
      const route = this.#sourceRoute(source, group, state);
      if (route === undefined) continue;
      // Without outgoing interfaces the route is only needed to keep (*,G) from forwarding what everybody excluded.
      if (route.outgoing.length > 0 || star !== undefined) routes.set(source, route);
      else this.#forget(state, source);
    }
    return routes;
  }

  #starRoute(group: Ipv4, state: GroupState): WantedRoute | undefined {
    const incoming = this.#reversePath.upstream();
    const outgoing = [...state.demands].filter(([vport, demand]) => vport !== incoming && demand.mode === 'exclude').map(([vport]) => vport);
    if (outgoing.length === 0) return undefined;
    return { source: 0, group, incoming, outgoing: ascending(outgoing) };
  }

  #sourceRoute(source: Ipv4, group: Ipv4, state: GroupState): WantedRoute | undefined {
    const incoming = this.#reversePath.incomingFor(source);
    if (incoming === undefined) return undefined;
    const outgoing = [...state.demands].filter(([vport, demand]) => vport !== incoming && wants(demand, source)).map(([vport]) => vport);
    const upstream = this.#reversePath.upstream();
    // RFC 4605 4.2: what a downstream source sends goes upstream always. Only for sources that do send: hosts may name any.
    if (upstream !== undefined && upstream !== incoming && state.learnt.has(source)) outgoing.push(upstream);
    return { source, group, incoming, outgoing: ascending(outgoing) };
  }
}

/** RFC 3376 6.3 */
function wants(demand: Demand, source: Ipv4): boolean {
  return demand.sources.has(source) === (demand.mode === 'include');
}

function namedSources(state: GroupState): Set<Ipv4> {
  const sources = new Set(state.learnt.keys());
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
  return a.incoming === b.incoming && a.outgoing.length === b.outgoing.length && a.outgoing.every((vport, i) => vport === b.outgoing[i]);
}
