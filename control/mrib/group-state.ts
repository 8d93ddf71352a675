/**
 * What is known of one group: which interfaces want it, and which of its sources were seen sending.
 */
import type { GroupDemand } from '../protocol/igmp/router/api';
import type { Ipv4 } from '../protocol/packet/address';
import type { VportId, WantedRoute } from './route';

/** A GroupDemand made for asking. */
export interface Demand {
  readonly vport: VportId;
  readonly asked: GroupDemand;
  readonly mode: GroupDemand['mode'];
  readonly sources: ReadonlySet<Ipv4>;
}

/** A source that was seen sending. */
export interface SeenSource {
  readonly source: Ipv4;
  readonly group: Ipv4;
  /** Where its packets came in. */
  readonly vport: VportId;
  /** Nobody wants it: its route drops its packets for a while. */
  readonly isAbsorbed: boolean;
  /** The last sign of life. */
  lastMs: number;
}

/** There are as many as groups, most of them wanted by an interface or two and without a source of their own: what is empty is not there. */
export interface GroupState {
  demands: readonly Demand[];
  /** What the machine itself wants on an interface. On one with hosts it is a member like they are. */
  local: readonly Demand[];
  /** By source. */
  seen: Map<Ipv4, SeenSource> | undefined;
  /** Static rules speak of it: `star` and `bySource` are theirs. */
  isStatic: boolean;
  /** What was last asked for: (*,G), and the others by source. */
  star: WantedRoute | undefined;
  bySource: Map<Ipv4, WantedRoute> | undefined;
}

const NO_SOURCES: ReadonlySet<Ipv4> = new Set();
const NO_DEMANDS: readonly Demand[] = [];

export function newGroupState(): GroupState {
  return { demands: NO_DEMANDS, local: NO_DEMANDS, seen: undefined, isStatic: false, star: undefined, bySource: undefined };
}

export function isUseless({ demands, local, seen, star, bySource }: GroupState): boolean {
  return demands.length + local.length === 0 && seen === undefined && star === undefined && bySource === undefined;
}

export function demandFrom(vport: VportId, demand: GroupDemand): Demand {
  return { vport, asked: demand, mode: demand.mode, sources: demand.sources.length === 0 ? NO_SOURCES : new Set(demand.sources) };
}

/** `demand` undefined: none any more. */
export function withDemand(demands: readonly Demand[], vport: VportId, demand: GroupDemand | undefined): readonly Demand[] {
  const others = demands.filter((one) => one.vport !== vport);
  if (demand !== undefined) others.push(demandFrom(vport, demand));
  return others;
}

export function wishesOf({ demands, local }: Pick<GroupState, 'demands' | 'local'>): readonly Demand[] {
  return local.length === 0 ? demands : [...demands, ...local];
}

/** RFC 3376 6.3 */
export function wants(demand: Demand, source: Ipv4): boolean {
  return demand.sources.has(source) === (demand.mode === 'include');
}

/** Sources that hosts named or that were seen. */
export function knownSources(state: GroupState): Iterable<Ipv4> {
  const namesNone = (demands: readonly Demand[]): boolean => demands.every((demand) => demand.sources.size === 0);
  if (state.seen === undefined && namesNone(state.demands) && namesNone(state.local)) return [];
  const sources = new Set(state.seen?.keys());
  for (const demand of wishesOf(state)) for (const source of demand.sources) sources.add(source);
  return sources;
}
