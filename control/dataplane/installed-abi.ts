/**
 * The structs of the eBPF programs read back out of the maps, by the layout they were written with, which may be that of another version.
 * Knows layouts only, no meaning; the other direction is in abi.ts.
 */
import type { BtfLayout } from '#bindings';
import type { VportId } from '../mrib/route';
import type { Ipv4, Ipv4Prefix } from '../protocol/packet/address';
import type { InstalledRoute, SlotKey } from './abi';
import { Layout, LITTLE_ENDIAN, mismatch } from './layout';

/** Of a source prefix key: the set is matched whole. */
const SET_BITS = 32;

export interface PortRecord {
  readonly vport: VportId;
  readonly ifindex: number;
  /** 0: the untagged frames of the device. */
  readonly vlan: number;
  /** Of the device. */
  readonly name: string;
  /** What to change back of the device when it has no ports any more, see UndoBits. */
  readonly undo: number;
}

export interface UndoBits {
  readonly allMulticast: number;
  readonly lro: number;
  readonly groHw: number;
  readonly vlanStrip: number;
  readonly vlanFilter: number;
  readonly promiscuous: number;
}

/** As struct xm_route has it; the threshold is in a map of its own. */
export interface ReadRoute extends Omit<InstalledRoute, 'ttlThreshold'> {
  readonly viaTc: boolean;
  readonly local: boolean;
  readonly toVlans: boolean;
  readonly hasThreshold: boolean;
}

/** Whose copies these are. */
export interface SlotOwner {
  readonly key: SlotKey;
  readonly vport: VportId;
}

export class InstalledAbi {
  readonly undoBits: UndoBits;
  readonly #portRecord: Layout;
  readonly #vport: Layout;
  readonly #slotKey: Layout;
  readonly #routeKey: Layout;
  readonly #route: Layout;
  readonly #groupPrefix: Layout;
  readonly #sourcePrefix: Layout;
  readonly #bits: Readonly<Record<'counter' | 'iif' | 'group' | 'copies', number>>;
  readonly #flags: Readonly<Record<'learn' | 'threshold' | 'tc' | 'local' | 'trunk', number>>;
  readonly #iifNone: number;
  /** Looked up once: there may be a hundred thousand routes. */
  readonly #offsets: Readonly<Record<'source' | 'group' | 'flow' | 'out' | 'owningGroup' | 'device' | 'place', number>>;

  constructor(btf: BtfLayout) {
    const constant = (name: string): number => {
      const value = btf.enumerators[name];
      if (value === undefined) throw mismatch(`constant ${name} is missing`);
      return value;
    };
    this.undoBits = {
      allMulticast: constant('XM_UNDO_ALLMULTI'),
      lro: constant('XM_UNDO_LRO'),
      groHw: constant('XM_UNDO_GRO_HW'),
      vlanStrip: constant('XM_UNDO_VLAN_STRIP'),
      vlanFilter: constant('XM_UNDO_VLAN_FILTER'),
      promiscuous: constant('XM_UNDO_PROMISC'),
    };
    this.#portRecord = new Layout(btf, 'xm_port_record');
    this.#vport = new Layout(btf, 'xm_vport');
    this.#slotKey = new Layout(btf, 'xm_slot_key');
    this.#routeKey = new Layout(btf, 'xm_route_key');
    this.#route = new Layout(btf, 'xm_route');
    this.#groupPrefix = new Layout(btf, 'xm_group_prefix');
    this.#sourcePrefix = new Layout(btf, 'xm_source_prefix');
    this.#bits = {
      counter: constant('XM_ROUTE_COUNTER_BITS'),
      iif: constant('XM_ROUTE_IIF_BITS'),
      group: constant('XM_ROUTE_GROUP_BITS'),
      copies: constant('XM_ROUTE_COPIES_BITS'),
    };
    this.#flags = {
      learn: constant('XM_ROUTE_LEARN'),
      threshold: constant('XM_ROUTE_THRESHOLD'),
      tc: constant('XM_ROUTE_TC'),
      local: constant('XM_ROUTE_LOCAL'),
      trunk: constant('XM_ROUTE_TRUNK'),
    };
    this.#iifNone = constant('XM_IIF_NONE');
    this.#offsets = {
      source: this.#routeKey.member('source').offset,
      group: this.#routeKey.member('group').offset,
      flow: this.#route.member('flow').offset,
      out: this.#route.member('out').offset,
      owningGroup: this.#slotKey.member('group').offset,
      device: this.#slotKey.member('ifindex').offset,
      place: this.#slotKey.member('place').offset,
    };
  }

  /** A name that is too long for an interface is cut off: no interface has it. */
  portRecord({ ifindex, vlan, name, undo }: Omit<PortRecord, 'vport'>): Uint8Array {
    const bytes = this.#portRecord.write({ ifindex, vlan, undo });
    const { offset, size } = this.#portRecord.member('name');
    bytes.set(Buffer.from(name).subarray(0, size - 1), offset);
    return bytes;
  }

  /** Values of all vports, in order. */
  readPortRecords(values: Uint8Array): readonly PortRecord[] {
    const count = values.length / this.#portRecord.size;
    return Array.from({ length: count }, (_, vport) => this.#readPortRecord(values, vport)).filter(({ ifindex }) => ifindex !== 0);
  }

  #readPortRecord(values: Uint8Array, vport: VportId): PortRecord {
    const at = vport * this.#portRecord.size;
    const view = viewOf(values);
    const { offset, size } = this.#portRecord.member('name');
    const name = Buffer.from(values.subarray(at + offset, at + offset + size));
    return {
      vport,
      ifindex: view.getUint32(at + this.#portRecord.member('ifindex').offset, LITTLE_ENDIAN),
      vlan: view.getUint16(at + this.#portRecord.member('vlan').offset, LITTLE_ENDIAN),
      undo: view.getUint32(at + this.#portRecord.member('undo').offset, LITTLE_ENDIAN),
      name: name.subarray(0, Math.max(name.indexOf(0), 0)).toString(),
    };
  }

  readVport(value: Uint8Array): { readonly macAddress: Uint8Array; readonly mtu: number; readonly ttlThreshold: number } {
    const view = viewOf(value);
    const mac = this.#vport.member('mac');
    return {
      macAddress: value.slice(mac.offset, mac.offset + mac.size),
      mtu: view.getUint16(this.#vport.member('mtu').offset, LITTLE_ENDIAN),
      ttlThreshold: view.getUint8(this.#vport.member('ttl_threshold').offset),
    };
  }

  /** The `index`-th of many. */
  readRouteKey(keys: DataView, index: number): { readonly source: Ipv4; readonly group: Ipv4 } {
    const at = index * this.#routeKey.size;
    return { source: keys.getUint32(at + this.#offsets.source), group: keys.getUint32(at + this.#offsets.group) };
  }

  /** The `index`-th of many, as halves of words. */
  readCounter(values: Uint32Array, index: number): number {
    return bitsOf(values[(index * this.#route.size + this.#offsets.flow) / Uint32Array.BYTES_PER_ELEMENT] ?? 0, 0, this.#bits.counter);
  }

  /** The `index`-th of many. */
  readRoute(values: DataView, index: number): ReadRoute {
    const at = index * this.#route.size;
    const flow = values.getUint32(at + this.#offsets.flow, LITTLE_ENDIAN);
    const out = values.getUint32(at + this.#offsets.out, LITTLE_ENDIAN);
    const { counter, iif, group, copies } = this.#bits;
    const incoming = bitsOf(flow, counter, iif);
    const flags = Math.floor(out / 2 ** (group + copies));
    const has = (flag: number): boolean => (flags & flag) !== 0;
    return {
      counter: bitsOf(flow, 0, counter),
      incoming: incoming === this.#iifNone ? undefined : incoming,
      group: bitsOf(out, 0, group),
      copies: bitsOf(out, group, copies),
      learn: has(this.#flags.learn),
      hasThreshold: has(this.#flags.threshold),
      viaTc: has(this.#flags.tc),
      local: has(this.#flags.local),
      toVlans: has(this.#flags.trunk),
    };
  }

  /** The `index`-th of many. */
  readSlotOwner(keys: DataView, vports: DataView, index: number): SlotOwner {
    const at = index * this.#slotKey.size;
    const { owningGroup, device, place } = this.#offsets;
    const key = { group: keys.getUint32(at + owningGroup, LITTLE_ENDIAN), ifindex: keys.getUint32(at + device, LITTLE_ENDIAN), place: keys.getUint32(at + place, LITTLE_ENDIAN) };
    return { key, vport: vports.getUint32(index * Uint32Array.BYTES_PER_ELEMENT, LITTLE_ENDIAN) };
  }

  /** As Abi.memberKey() has made it. */
  readMemberKey(key: number): { readonly counter: number; readonly vport: VportId } {
    const { counter, iif } = this.#bits;
    return { counter: bitsOf(key, 0, counter), vport: bitsOf(key, counter, iif) };
  }

  readGroupPrefix(key: Uint8Array): Ipv4Prefix {
    const view = viewOf(key);
    const length = view.getUint32(this.#groupPrefix.member('prefix_length').offset, LITTLE_ENDIAN);
    return { address: view.getUint32(this.#groupPrefix.member('group').offset), length };
  }

  readSourcePrefix(key: Uint8Array): { readonly set: number; readonly source: Ipv4Prefix } {
    const view = viewOf(key);
    const length = view.getUint32(this.#sourcePrefix.member('prefix_length').offset, LITTLE_ENDIAN) - SET_BITS;
    const set = view.getUint32(this.#sourcePrefix.member('set').offset, LITTLE_ENDIAN);
    return { set, source: { address: view.getUint32(this.#sourcePrefix.member('source').offset), length } };
  }
}

/** `width` bits from bit `first` on. Not by shifts, which are of signed numbers. */
function bitsOf(word: number, first: number, width: number): number {
  return Math.floor(word / 2 ** first) % 2 ** width;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
