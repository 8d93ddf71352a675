/**
 * What a controller before this one has installed, read out of its maps into plain data: ports, routes, ranges. Off the event loop and in
 * pieces, as there may be a hundred thousand. Changes nothing.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BpfMap } from '#bindings';
import { errorCode } from '../errors';
import type { RouteKey, VportId } from '../mrib/route';
import type { PortSpec } from './api';
import type { InstalledAbi, PortRecord, ReadRoute, SlotOwner } from './installed-abi';
import { readU32, u32Key } from './keys';
import type { InstalledGroup, InstalledSource } from './prefix-routes';

/** Routes in one piece: some two milliseconds. */
const PIECE = 4096;
const NOBODY: readonly VportId[] = [];

export interface InstalledPort {
  readonly record: PortRecord;
  readonly known: Pick<PortSpec, 'macAddress' | 'mtu' | 'ttlThreshold'>;
}

export interface InstalledEntry {
  readonly key: RouteKey;
  readonly read: ReadRoute;
  /** 0: none. */
  readonly ttlThreshold: number;
  /** Where the machine itself is a member, ascending. */
  readonly local: readonly VportId[];
}

type RestOf = (read: ReadRoute) => Omit<InstalledEntry, 'key'>;

export interface Installed {
  readonly ports: readonly InstalledPort[];
  /** (*,G) and (S,G). */
  readonly routes: readonly InstalledEntry[];
  /** Keys and values of the routes as the kernel has them, in their order. */
  readonly keyWords: BigUint64Array;
  readonly valueWords: BigUint64Array;
  /** Of groups with VLANs in them. */
  readonly slotOwners: readonly SlotOwner[];
  readonly rangeGroups: readonly InstalledGroup[];
  readonly rangeSources: readonly InstalledSource[];
  readonly readRange: (value: Uint8Array) => Omit<InstalledEntry, 'key'>;
}

/** Without one of these there is nothing to read. */
export const READ_MAPS = ['xm_route_thresholds', 'xm_group_prefixes', 'xm_source_prefixes', 'xm_routes', 'xm_slot_ports', 'xm_port_records', 'xm_vports'];

type OpenMap = (name: string) => BpfMap;

export async function readInstalled(abi: InstalledAbi, open: OpenMap): Promise<Installed> {
  const thresholds = open('xm_route_thresholds');
  const members = await readMembers(abi, open);
  const restOf: RestOf = (read) => {
    const { hasThreshold, counter } = read;
    const value = hasThreshold ? thresholds.lookup(u32Key(counter)) : undefined;
    return { read, ttlThreshold: value === undefined ? 0 : readU32(value, 0), local: read.local ? localOf(read, members) : NOBODY };
  };
  const [groups, sources] = await Promise.all([entriesOf(open('xm_group_prefixes')), entriesOf(open('xm_source_prefixes'))]);
  return {
    ports: await readPorts(abi, open),
    ...(await readRoutes(abi, open('xm_routes'), restOf)),
    slotOwners: await readSlotOwners(abi, open('xm_slot_ports')),
    rangeGroups: groups.map(({ key, value }) => ({ group: abi.readGroupPrefix(key), set: readU32(value, 0) })),
    rangeSources: sources.map(({ key, value }) => ({ ...abi.readSourcePrefix(key), value })),
    readRange: (value) => restOf(abi.readRoute(viewOf(value), 0)),
  };
}

export async function readPorts(abi: InstalledAbi, open: OpenMap): Promise<readonly InstalledPort[]> {
  const { values } = await open('xm_port_records').lookupBatch();
  const vports = open('xm_vports');
  return abi.readPortRecords(values).flatMap((record) => {
    const value = vports.lookup(u32Key(record.vport));
    return value === undefined ? [] : [{ record, known: abi.readVport(value) }];
  });
}

async function readRoutes(
  abi: InstalledAbi,
  map: BpfMap,
  restOf: RestOf,
): Promise<Pick<Installed, 'routes' | 'keyWords' | 'valueWords'>> {
  const { keys, values, count } = await map.lookupBatch();
  const [keyView, valueView] = [viewOf(keys), viewOf(values)];
  const routes: InstalledEntry[] = [];
  for (let i = 0; i < count; i++) {
    const { read, ttlThreshold, local } = restOf(abi.readRoute(valueView, i));
    routes.push({ key: abi.readRouteKey(keyView, i), read, ttlThreshold, local });
    if (i % PIECE === PIECE - 1) await nextTurn();
  }
  return { routes, keyWords: wordsOf(keys), valueWords: wordsOf(values) };
}

async function readSlotOwners(abi: InstalledAbi, map: BpfMap): Promise<readonly SlotOwner[]> {
  const { keys, values, count } = await map.lookupBatch();
  const [keyView, valueView] = [viewOf(keys), viewOf(values)];
  const owners: SlotOwner[] = [];
  for (let i = 0; i < count; i++) {
    owners.push(abi.readSlotOwner(keyView, valueView, i));
    if (i % PIECE === PIECE - 1) await nextTurn();
  }
  return owners;
}

type Members = ReadonlyMap<number, readonly VportId[]>;

/** By counter. undefined: of a version that did not note them. */
async function readMembers(abi: InstalledAbi, open: OpenMap): Promise<Members | undefined> {
  const map = openIfThere(open, 'xm_members');
  if (map === undefined) return undefined;
  const { keys, count } = await map.lookupBatch();
  const members = new Map<number, VportId[]>();
  for (let i = 0; i < count; i++) {
    const { counter, vport } = abi.readMemberKey(readU32(keys, i));
    members.set(counter, [...(members.get(counter) ?? []), vport].sort((a, b) => a - b));
  }
  return members;
}

/** Versions that did not note them had members on the incoming interface only. */
function localOf({ counter, incoming }: ReadRoute, members: Members | undefined): readonly VportId[] {
  if (members !== undefined) return members.get(counter) ?? NOBODY;
  return incoming === undefined ? NOBODY : [incoming];
}

function openIfThere(open: OpenMap, name: string): BpfMap | undefined {
  try {
    return open(name);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    return undefined;
  }
}

/** Of a small map. */
async function entriesOf(map: BpfMap): Promise<readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]> {
  const { keys, values, count } = await map.lookupBatch();
  const [keySize, valueSize] = [keys.length / Math.max(count, 1), values.length / Math.max(count, 1)];
  return Array.from({ length: count }, (_, i) => ({
    key: keys.slice(i * keySize, (i + 1) * keySize),
    value: values.slice(i * valueSize, (i + 1) * valueSize),
  }));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function wordsOf(bytes: Uint8Array): BigUint64Array {
  return new BigUint64Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.byteLength / BigUint64Array.BYTES_PER_ELEMENT));
}
