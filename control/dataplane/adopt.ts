/**
 * Makes what a controller before this one has installed this one's own, in maps of the same layout: each route keeps its counter and its
 * place in the index, each replication group its slots. Nothing that a packet meets changes but the programs.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isRange, rangeKey, type RouteKey, type VportId, type WantedRoute } from '../mrib/route';
import type { TakenOver } from './api';
import type { CounterSlots } from './counter-slots';
import type { Group } from './group-pool';
import type { Handover } from './handover';
import type { InstalledRange, PrefixRoutes } from './prefix-routes';
import type { PortTable } from './ports';
import type { Installed, InstalledEntry } from './read-installed';
import type { Replication } from './replication';
import type { RouteIndex } from './route-index';
import type { RouteTable } from './routes';
import { ownersReader } from './slot-owners';
import type { ReadRoute } from './installed-abi';

/** Routes in one piece. */
const PIECE = 2048;
const NO_VPORTS: readonly VportId[] = [];

export interface AdoptingParts {
  readonly ports: PortTable;
  readonly replication: Replication;
  readonly routes: RouteTable;
  readonly index: RouteIndex;
  readonly ranges: PrefixRoutes;
  readonly slots: CounterSlots;
  readonly handover: Handover;
  readonly nowMs: () => number;
}

type Read = Omit<InstalledEntry, 'key'>;

/** Ports first: what a slot stands for is known by them. Their programs are replaced when the groups have the new egress program. */
export async function adopt(installed: Installed, parts: AdoptingParts): Promise<TakenOver> {
  const { ports, ranges, slots, routes } = parts;
  for (const { record, known } of installed.ports) await ports.adopt(record, known);
  const adopted = ports.attached();
  const inRanges = ranges.adopt(installed.rangeGroups, installed.rangeSources).map((range) => ({ range, entry: installed.readRange(range.value) }));
  const groups = await adoptGroups([...installed.routes, ...inRanges.map(({ entry }) => entry)].map(({ read }) => read), installed, parts);
  await adoptRoutes(installed, groups, parts);
  for (const { range, entry } of inRanges) adoptRange(range, entry, groups, parts);
  const isProper = new Set([...groups.values()].filter(({ key, vports }) => key === vports.join()));
  const known = [...routes.entries()].map(([, entry]) => entry);
  slots.adopt(new Set(known.map(({ counter }) => counter)), parts.nowMs());
  await ports.replacePrograms();
  const odd = known.filter(({ group }) => group !== undefined && !isProper.has(group));
  await rewrite(odd.map(({ route }) => route), routes, parts.nowMs);
  return { ports: adopted, routes: known.map(({ route }) => route) };
}

async function adoptGroups(routes: readonly ReadRoute[], { slotOwners }: Installed, { ports, replication }: AdoptingParts): Promise<ReadonlyMap<number, Group>> {
  replication.adoptOwners(slotOwners);
  const ownersOf = ownersReader(ports.attached(), slotOwners);
  const used = usersByGroup(routes);
  const groups = new Map<number, Group>();
  for (const [index, { users, copies, toVlans }] of used) {
    if (index >= replication.count) continue;
    const slots = replication.slotsOf(index).slice(0, copies);
    groups.set(index, replication.adopt(index, ownersOf({ index, slots, toVlans }), users));
    if (groups.size % PIECE === 0) await nextTurn();
  }
  await replication.adoptSpare(Array.from({ length: replication.count }, (_, index) => index).filter((index) => !groups.has(index)));
  return groups;
}

interface GroupUse {
  users: number;
  copies: number;
  toVlans: boolean;
}

function usersByGroup(routes: readonly ReadRoute[]): ReadonlyMap<number, GroupUse> {
  const found = new Map<number, GroupUse>();
  for (const { group, copies, toVlans } of routes) {
    if (copies === 0) continue;
    const known = found.get(group);
    if (known === undefined) found.set(group, { users: 1, copies, toVlans });
    else {
      known.users++;
      known.copies = Math.max(known.copies, copies);
      known.toVlans ||= toVlans;
    }
  }
  return found;
}

/** (*,G) first: what an (S,G) took of its packets is known by then. */
async function adoptRoutes({ routes, keyWords, valueWords }: Installed, groups: ReadonlyMap<number, Group>, parts: AdoptingParts): Promise<void> {
  let done = 0;
  for (const isStar of [true, false]) {
    for (const [i, entry] of routes.entries()) {
      if ((entry.key.source === 0) !== isStar) continue;
      if (adoptOne(entry.key, entry, groups, parts)) parts.index.adopt(entry.key, keyWords[i] ?? 0n, valueWords[i] ?? 0n, parts.nowMs());
      if (++done % PIECE === 0) await nextTurn();
    }
  }
}

function adoptRange({ group, source }: InstalledRange, entry: Read, groups: ReadonlyMap<number, Group>, parts: AdoptingParts): void {
  adoptOne(rangeKey(group, source), entry, groups, parts);
}

function adoptOne(key: RouteKey, found: Read, groups: ReadonlyMap<number, Group>, { routes, handover, nowMs }: AdoptingParts): boolean {
  const { read } = found;
  const group = read.copies === 0 ? undefined : groups.get(read.group);
  // Its group is not to be had any more: whoever wants the route writes it anew.
  if (read.copies > 0 && group === undefined) return false;
  const entry = routes.adopt(wantedOf(key, found, group?.vports ?? NO_VPORTS), { counter: read.counter, group, service: { viaTc: read.viaTc, toVlans: read.toVlans } }, nowMs());
  if (entry !== undefined) handover.adopted(entry);
  return entry !== undefined;
}

export function wantedOf(key: RouteKey, { read, ttlThreshold, local }: Read, outgoing: readonly VportId[]): WantedRoute {
  const { incoming } = read;
  // Nearly all routes: without spreads, of which each costs as much as all the rest.
  if (!isRange(key) && ttlThreshold === 0 && local.length === 0) return { source: key.source, group: key.group, incoming, outgoing };
  return { ...key, incoming, outgoing, ...(ttlThreshold > 0 ? { ttlThreshold } : {}), ...(local.length > 0 ? { local } : {}) };
}

/** Those whose group lacks a device that went away, or is one of two for the same set, get a proper one. */
async function rewrite(wanted: readonly WantedRoute[], routes: RouteTable, nowMs: () => number): Promise<void> {
  for (let from = 0; from < wanted.length; from += PIECE) {
    routes.apply(wanted.slice(from, from + PIECE).map((route) => ({ kind: 'set', route })), nowMs());
    await nextTurn();
  }
}
