/**
 * From the maps of another layout, or other sizes, into new ones beside them: what is installed there is written here, then the ports
 * change over, then counts follow. Until the last step the old maps are whole, and what a crash leaves is either of the two.
 */
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type { BpfMap } from '#bindings';
import { errorText } from '../errors';
import { nameOf, rangeKey, type VportId, type WantedRoute } from '../mrib/route';
import { wantedOf } from './adopt';
import type { Abi } from './abi';
import type { TakenOver } from './api';
import type { CounterSlots } from './counter-slots';
import { ROW } from './handover';
import { InstalledAbi, type ReadRoute } from './installed-abi';
import { Layout, WordReader } from './layout';
import { parseLayout, type LayoutRecord } from './layout-record';
import { layoutOf } from './loader';
import type { Generation } from './pin-folder';
import type { PortTable } from './ports';
import { PrefixRoutes, type PrefixMaps } from './prefix-routes';
import { READ_MAPS, readInstalled, type Installed } from './read-installed';
import { readSlots, type Replication } from './replication';
import type { RoutePlace, RouteTable } from './routes';
import { ownersReader } from './slot-owners';

/** Longer than a cycle of NAPI takes, on a busy machine too. */
const UNDER_WAY_MS = 100;
/** Routes in one piece. */
const PIECE = 1024;
/** As the words of a route in what was moved, see Handover. */
const COUNTED = ['packets', 'bytes', 'expected', 'sent', 'sent_bytes', 'failed', 'dropped'];
/** Ranges are read only. */
const NOWHERE: PrefixMaps = { groups: nowhere(), sources: nowhere() };

export interface MigratingParts {
  readonly abi: Abi;
  readonly ports: PortTable;
  readonly replication: Replication;
  readonly routes: RouteTable;
  readonly slots: CounterSlots;
  /** What is added to the counters of a route, by counter slot. */
  readonly moved: BigUint64Array;
  readonly nowMs: () => number;
  readonly onTrouble: (message: string) => void;
}

/** A generation that this version can read. */
export interface Predecessor {
  readonly generation: Generation;
  readonly layout: LayoutRecord;
  readonly abi: InstalledAbi;
}

/** undefined: what is there is of no use to this version. */
export function findPredecessor(generation: Generation): Predecessor | undefined {
  const layout = parseLayout(layoutOf(generation) ?? '');
  if (layout === undefined || !generation.isWhole(READ_MAPS)) return undefined;
  try {
    return { generation, layout, abi: new InstalledAbi(layout.btf) };
  } catch {
    // It says that it is readable, and lacks what it would have to have.
    return undefined;
  }
}

interface Counted {
  readonly route: WantedRoute;
  /** In the old maps. */
  readonly place: RoutePlace;
}

export async function migrate(from: Predecessor, parts: MigratingParts): Promise<TakenOver> {
  const { ports, routes } = parts;
  const open = (name: string): BpfMap => from.generation.openMap(name);
  const installed = await readInstalled(from.abi, open);
  for (const { record, known } of installed.ports) await ports.adopt(record, known);
  const adopted = ports.attached();
  const found = routesOf(installed, vportsOf(from.generation, installed, ports), parts.abi);
  await install(found, parts);
  await ports.replacePrograms();
  // Batches that were under way are counted in the old maps, until their devices have taken them.
  await pause(UNDER_WAY_MS);
  await carryCounts(from, found, parts);
  return { ports: adopted, routes: [...routes.entries()].map(([, entry]) => entry.route) };
}

/** What an old group stands for. */
function vportsOf(generation: Generation, { slotOwners }: Installed, ports: PortTable): (read: ReadRoute) => readonly VportId[] {
  const ownersOf = ownersReader(ports.attached(), slotOwners);
  const groups = generation.openGroups();
  const known = new Map<number, readonly VportId[]>();
  return ({ group, copies, toVlans }) => {
    if (copies === 0) return [];
    const before = known.get(group);
    if (before !== undefined) return before;
    const map = groups[group];
    const slots = map === undefined ? [] : readSlots(map).slice(0, copies);
    const vports = ownersOf({ index: group, slots, toVlans }).filter((vport) => vport !== undefined);
    known.set(group, vports);
    return vports;
  };
}

function routesOf(installed: Installed, outgoing: (read: ReadRoute) => readonly VportId[], abi: Abi): readonly Counted[] {
  const exact = installed.routes.map((entry) => ({ route: wantedOf(entry.key, entry, outgoing(entry.read)), place: entry.read }));
  const ranges = new PrefixRoutes(abi, NOWHERE).adopt(installed.rangeGroups, installed.rangeSources).map(({ group, source, value }) => {
    const entry = installed.readRange(value);
    return { route: wantedOf(rangeKey(group, source), entry, outgoing(entry.read)), place: entry.read };
  });
  return [...exact, ...ranges];
}

/**
 * In the places they had, as far as these are to be had again: what a cycle of NAPI takes in before the switch decides by which egress
 * program all its copies leave, so some of the new programs find their VLANs and are counted in the old maps, by the numbers of the new.
 */
async function install(found: readonly Counted[], parts: MigratingParts): Promise<void> {
  const places = new Map(found.map(({ route, place }) => [nameOf(route), place]));
  parts.slots.reserve(found.map(({ place }) => place.counter));
  await installAll(found.map(({ route }) => route), places, parts);
  parts.slots.endReservation();
}

/** (S,G) before (*,G), as always. Sets for which groups have to be made first are tried again when these are there. */
async function installAll(all: readonly WantedRoute[], places: ReadonlyMap<string, RoutePlace>, { routes, replication, nowMs, onTrouble }: MigratingParts): Promise<void> {
  let waiting: readonly WantedRoute[] = [...all.filter(({ source }) => source !== 0), ...all.filter(({ source }) => source === 0)];
  for (let before = Infinity; waiting.length > 0 && waiting.length < before; ) {
    before = waiting.length;
    const refused = new Map<string, string>();
    for (let at = 0; at < waiting.length; at += PIECE) {
      const piece = waiting.slice(at, at + PIECE);
      for (const problem of routes.apply(piece.map((route) => ({ kind: 'set', route })), nowMs(), places)) refused.set(nameOf(problem), problem.problem);
      replication.growIfShort();
      await nextTurn();
    }
    await replication.settled();
    const [problem] = refused.values();
    waiting = waiting.filter((route) => refused.has(nameOf(route)));
    if (waiting.length === before || (waiting.length > 0 && replication.isComplete)) {
      onTrouble(`take over ${waiting.length} of ${all.length} routes: ${problem ?? ''}; what hosts still want is tried again`);
      return;
    }
  }
}

/** Copies and packets of routes. Everything else that is counted begins at zero. */
async function carryCounts({ generation, layout }: Predecessor, found: readonly Counted[], parts: MigratingParts): Promise<void> {
  const { routes, moved, onTrouble } = parts;
  try {
    const reader = new WordReader(new Layout(layout.btf, 'xm_route_counters'));
    const words = COUNTED.map((name) => reader.word(name));
    const entries = layout.sizes.counters;
    const [counted, given] = await Promise.all([
      generation.openMap('xm_route_stats').sumBlocks({ blocks: layout.cpus, entries }),
      generation.openMap('xm_route_moved').sumBlocks({ blocks: 1, entries }),
    ]);
    for (const [i, { route, place }] of found.entries()) {
      const now = routes.entry(nameOf(route))?.counter;
      if (now === undefined) continue;
      words.forEach((word, field) => {
        const at = place.counter * reader.words + word;
        // Words wrap: a route that has given something away has less than nothing there.
        const before = (counted[at] ?? 0n) + (route.source === 0 ? -(given[at] ?? 0n) : (given[at] ?? 0n));
        const to = now * ROW + field;
        moved[to] = (moved[to] ?? 0n) + (route.source === 0 ? -before : before);
      });
      if (i % PIECE === PIECE - 1) await nextTurn();
    }
  } catch (error) {
    onTrouble(`carry the counters of routes over: ${errorText(error)}; they begin at zero`);
  }
}

function nowhere(): PrefixMaps['groups'] {
  const nothing = { keys: new Uint8Array(0), values: new Uint8Array(0), count: 0 };
  return { update: () => undefined, delete: () => false, lookupBatch: () => Promise.resolve(nothing) };
}
