/**
 * Orders of lists (--sort). Figures come with the largest first, names and addresses in ascending order; what is equal stays in the
 * order of the API.
 */
import type { xmcast } from '#proto';

import { fromWire } from '../api/u64';
import { fromWireTime } from '../api/wire-time';

import { notSent } from './format-flows';
import { expiresInMs } from './format-memberships';

type Flow = xmcast.v1.Flow.$Properties;
type Route = xmcast.v1.Route.$Properties;
type Membership = xmcast.v1.Membership.$Properties;
type Neighbor = xmcast.v1.Neighbor.$Properties;
type Report = xmcast.v1.Report.$Properties;

type KeyOf<Item> = (item: Item) => number | bigint | string;

interface SortField<Item> {
  readonly keyOf: KeyOf<Item>;
  readonly order: 'ascending' | 'descending';
}

/** By the word that --sort takes. */
export type SortFields<Item> = Readonly<Record<string, SortField<Item>>>;

export const FLOW_ORDERS: SortFields<Flow> = {
  group: ascending((flow) => addressKey(flow.group)),
  source: ascending((flow) => addressKey(flow.source)),
  from: ascending((flow) => flow.incomingInterface ?? ''),
  packets: descending((flow) => fromWire(flow.packets)),
  bytes: descending((flow) => fromWire(flow.bytes)),
  pps: descending((flow) => flow.packetsPerSecond ?? 0),
  rate: descending((flow) => flow.bitsPerSecond ?? 0),
  copies: descending((flow) => fromWire(flow.replicatedPackets)),
  'not-sent': descending(notSent),
  'wrong-if': descending((flow) => fromWire(flow.wrongInterfacePackets)),
  ttl: descending((flow) => fromWire(flow.ttlDroppedPackets)),
};

export const ROUTE_ORDERS: SortFields<Route> = {
  group: ascending((route) => addressKey(route.group)),
  source: ascending((route) => addressKey(route.source)),
  from: ascending((route) => route.incomingInterface ?? ''),
  to: descending((route) => route.outgoingInterfaces?.length ?? 0),
  age: descending((route) => fromWireTime(route.age) ?? 0),
};

export const MEMBERSHIP_ORDERS: SortFields<Membership> = {
  interface: ascending((entry) => entry.interface ?? ''),
  group: ascending((entry) => addressKey(entry.group)),
  hosts: descending((entry) => entry.hostCount ?? 0),
  sources: descending((entry) => entry.sources?.length ?? 0),
  // What goes first is first; what never goes is last.
  expires: ascending((entry) => expiresInMs(entry) ?? Infinity),
  age: descending((entry) => fromWireTime(entry.age) ?? 0),
};

export const REPORT_ORDERS: SortFields<Report> = {
  interface: ascending((entry) => entry.interface ?? ''),
  group: ascending((entry) => addressKey(entry.group)),
  sources: descending((entry) => entry.sources?.length ?? 0),
};

export const NEIGHBOR_ORDERS: SortFields<Neighbor> = {
  interface: ascending((entry) => entry.interface ?? ''),
  address: ascending((entry) => addressKey(entry.address)),
};

/** `by`: a word of `fields`; undefined, or another word, leaves the order as it is. */
export function sorted<Item>(items: readonly Item[], fields: SortFields<Item>, by: string | undefined): readonly Item[] {
  const field = by === undefined ? undefined : fields[by];
  if (field === undefined) return items;
  const sign = field.order === 'ascending' ? 1 : -1;
  return items
    .map((item) => ({ item, key: field.keyOf(item) }))
    .sort((left, right) => (left.key === right.key ? 0 : left.key < right.key ? -sign : sign))
    .map(({ item }) => item);
}

/** By the first of several fields, and where that is equal by the next: the order of the API, which a stream does not have. */
export function sortedBy<Item>(items: readonly Item[], fields: SortFields<Item>, by: readonly string[]): readonly Item[] {
  return [...by].reverse().reduce((list, field) => sorted(list, fields, field), items);
}

function ascending<Item>(keyOf: KeyOf<Item>): SortField<Item> {
  return { keyOf, order: 'ascending' };
}

function descending<Item>(keyOf: KeyOf<Item>): SortField<Item> {
  return { keyOf, order: 'descending' };
}

/** Addresses and prefixes as numbers: "10.0.0.2" is before "10.0.0.10", and "*" before all. */
function addressKey(text: string | null | undefined): number {
  if (text === '*') return -1;
  const [address = ''] = (text ?? '').split('/');
  return address.split('.').reduce((value, octet) => value * 256 + Number(octet), 0);
}
