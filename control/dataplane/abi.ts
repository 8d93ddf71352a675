/**
 * The structs shared with the eBPF programs, as their BTF declares them: names looked up once, offsets never written down here.
 * Refuses an object that lacks anything this controller needs. Knows layouts only, no meaning.
 */
import { endianness } from 'node:os';
import type { BtfLayout, BtfMember, BtfStruct } from '#bindings';
import { XmcastError } from '../errors';
import type { RouteKey } from '../mrib/route';
import type { Ipv4, Ipv4Prefix } from '../protocol/packet/address';
import { PUNT_CLASSES } from './api';
import type { CopyCounters, PortSpec, Punt, PuntClass, RouteCounters, VportCounters } from './api';

const LITTLE_ENDIAN = endianness() === 'LE';
const WORD_BYTES = 8;
const NANOSECONDS_PER_SECOND = 1_000_000_000n;
/** Of a source prefix key: the set is matched whole. */
const SET_BITS = 32;

function mismatch(what: string): XmcastError {
  return new XmcastError('XM_BPF_LOAD', `read the layout of the eBPF object: ${what}`, {
    hint: 'The object and the controller are of different versions: build both from the same tree with deploy/bootstrap.sh.',
  });
}

/** One struct of the ABI: writes and reads members by name. */
class Layout {
  readonly size: number;
  readonly #members: ReadonlyMap<string, BtfMember>;
  readonly #name: string;

  constructor(btf: BtfLayout, name: string) {
    const struct: BtfStruct | undefined = btf.structs[name];
    if (struct === undefined) throw mismatch(`struct ${name} is missing`);
    this.size = struct.size;
    this.#name = name;
    this.#members = new Map(struct.members.map((member) => [member.name, member]));
  }

  member(name: string): BtfMember {
    const member = this.#members.get(name);
    if (member === undefined) throw mismatch(`struct ${this.#name} has no member ${name}`);
    return member;
  }

  /** Unsigned members of 1, 2 or 4 bytes, and 8 bytes from a bigint. */
  write(values: Readonly<Record<string, number | bigint>>): Uint8Array {
    const bytes = new Uint8Array(this.size);
    this.writeAt(new DataView(bytes.buffer), 0, values);
    return bytes;
  }

  /** As the `index`-th of many. Members not named stay as they are. */
  writeAt(view: DataView, index: number, values: Readonly<Record<string, number | bigint>>): void {
    for (const name in values) {
      const value = values[name];
      if (value !== undefined) writeMember(view, index * this.size, this.member(name), value);
    }
  }
}

/** `at`: where the struct begins. */
function writeMember(view: DataView, at: number, member: BtfMember, value: number | bigint): void {
  const offset = at + member.offset;
  if (typeof value === 'bigint') view.setBigUint64(offset, value, LITTLE_ENDIAN);
  else if (member.size === 1) view.setUint8(offset, value);
  else if (member.size === 2) view.setUint16(offset, value, LITTLE_ENDIAN);
  else view.setUint32(offset, value, LITTLE_ENDIAN);
}

export interface InstalledRoute {
  readonly counter: number;
  readonly group: number;
  /** undefined: XM_IIF_NONE. */
  readonly incoming: number | undefined;
  readonly copies: number;
  readonly learn: boolean;
  readonly ttlThreshold: number;
}

export class Abi {
  readonly dropReasons: readonly string[];
  readonly maxVports: number;
  /** Interface indexes below this are looked up without hashing. */
  readonly fastPorts: number;
  readonly #btf: BtfLayout;
  readonly #iifNone: number;
  readonly #learn: number;
  readonly #newSource: number;
  readonly #noRoute: number;
  readonly #portKey: Layout;
  readonly #vport: Layout;
  readonly #routeKey: Layout;
  readonly #groupPrefix: Layout;
  readonly #sourcePrefix: Layout;
  readonly #route: Layout;
  readonly #policer: Layout;
  readonly #recentKey: Layout;
  readonly #recent: Layout;
  readonly #punt: Layout;
  readonly #routeCounters: WordReader;
  readonly #vportCounters: WordReader;

  constructor(btf: BtfLayout) {
    this.#btf = btf;
    this.maxVports = this.constant('XM_MAX_VPORTS');
    this.fastPorts = this.constant('XM_FAST_PORTS');
    this.#iifNone = this.constant('XM_IIF_NONE');
    this.#learn = this.constant('XM_ROUTE_LEARN');
    this.#newSource = this.constant('XM_PUNT_NEW_SOURCE');
    this.#noRoute = this.constant('XM_PUNT_NO_ROUTE');
    this.dropReasons = namesOf(btf, 'xm_drop_reason', 'XM_DROP_');
    checkPuntClasses(namesOf(btf, 'xm_punt_class', 'XM_PUNT_'));
    this.#portKey = new Layout(btf, 'xm_port_key');
    this.#vport = new Layout(btf, 'xm_vport');
    this.#routeKey = new Layout(btf, 'xm_route_key');
    this.#groupPrefix = new Layout(btf, 'xm_group_prefix');
    this.#sourcePrefix = new Layout(btf, 'xm_source_prefix');
    this.#route = new Layout(btf, 'xm_route');
    this.#policer = new Layout(btf, 'xm_policer_config');
    this.#recentKey = new Layout(btf, 'xm_recent_key');
    this.#recent = new Layout(btf, 'xm_recent');
    this.#punt = new Layout(btf, 'xm_punt');
    this.#routeCounters = new WordReader(new Layout(btf, 'xm_route_counters'));
    this.#vportCounters = new WordReader(new Layout(btf, 'xm_vport_counters'));
    this.#lookUpMembers();
  }

  /** Members are looked up where they are used: used once here, so that one that is missing stops the start and not the running daemon. */
  #lookUpMembers(): void {
    const macAddress = new Uint8Array(6);
    this.portKey(0);
    this.vport({ vport: 0, name: '', ifindex: 0, macAddress, mtu: 0, ttlThreshold: 1 });
    this.routeKey(0, 0);
    this.groupPrefix({ address: 0, length: 0 });
    this.sourcePrefix(0, { address: 0, length: 0 });
    this.route({ counter: 0, group: 0, incoming: undefined, copies: 0, learn: false, ttlThreshold: 0 });
    this.newSourceKey(0, 0, 0);
    this.readRecent(new Uint8Array(this.#recent.size));
    this.readRouteCounters(new BigUint64Array(0), 0);
    this.readVportCounters(new BigUint64Array(0), 0);
    this.readPunt(new Uint8Array(this.#punt.size));
  }

  constant(name: string): number {
    const value = this.#btf.enumerators[name];
    if (value === undefined) throw mismatch(`constant ${name} is missing`);
    return value;
  }

  portKey(ifindex: number): Uint8Array {
    return this.#portKey.write({ ifindex });
  }

  vport(port: PortSpec): Uint8Array {
    const bytes = this.#vport.write({ ifindex: port.ifindex, mtu: Math.min(port.mtu, 0xffff), ttl_threshold: port.ttlThreshold });
    bytes.set(port.macAddress, this.#vport.member('mac').offset);
    return bytes;
  }

  get routeKeyBytes(): number {
    return this.#routeKey.size;
  }

  routeKey(source: Ipv4, group: Ipv4): Uint8Array {
    const bytes = new Uint8Array(this.#routeKey.size);
    this.writeRouteKey(new DataView(bytes.buffer), 0, source, group);
    return bytes;
  }

  /** As the `index`-th of many. */
  writeRouteKey(view: DataView, index: number, source: Ipv4, group: Ipv4): void {
    writeAddresses(view, index, this.#routeKey, { source, group });
  }

  groupPrefix(group: Ipv4Prefix): Uint8Array {
    const bytes = this.#groupPrefix.write({ prefix_length: group.length });
    new DataView(bytes.buffer).setUint32(this.#groupPrefix.member('group').offset, group.address);
    return bytes;
  }

  /** `set`: as the value of its group prefix names it. */
  sourcePrefix(set: number, source: Ipv4Prefix): Uint8Array {
    const bytes = this.#sourcePrefix.write({ prefix_length: SET_BITS + source.length, set });
    new DataView(bytes.buffer).setUint32(this.#sourcePrefix.member('source').offset, source.address);
    return bytes;
  }

  get routeBytes(): number {
    return this.#route.size;
  }

  route(route: InstalledRoute): Uint8Array {
    const bytes = new Uint8Array(this.#route.size);
    this.writeRoute(new DataView(bytes.buffer), 0, route);
    return bytes;
  }

  /** As the `index`-th of many. */
  writeRoute(view: DataView, index: number, route: InstalledRoute): void {
    this.#route.writeAt(view, index, {
      counter: route.counter,
      group: route.group,
      iif: route.incoming ?? this.#iifNone,
      copies: route.copies,
      flags: route.learn ? this.#learn : 0,
      ttl_threshold: route.ttlThreshold,
    });
  }

  policer({ ratePps, burst }: { readonly ratePps: number; readonly burst: number }): Uint8Array {
    const cost = NANOSECONDS_PER_SECOND / BigInt(ratePps);
    return this.#policer.write({ cost_ns: cost, burst_ns: cost * BigInt(burst) });
  }

  /** The entry that counts what (*,G) forwarded of a source that came in by this vport. */
  newSourceKey(source: Ipv4, group: Ipv4, vport: number): Uint8Array {
    return this.#recentKeyOf(source, group, { vport, class: this.#newSource });
  }

  /** The entry that counts what of this stream was lost since the packet that went to the controller. */
  noRouteKey(source: Ipv4, group: Ipv4, vport: number): Uint8Array {
    return this.#recentKeyOf(source, group, { vport, class: this.#noRoute });
  }

  #recentKeyOf(source: Ipv4, group: Ipv4, rest: { readonly vport: number; readonly class: number }): Uint8Array {
    const bytes = this.#recentKey.write(rest);
    writeAddresses(new DataView(bytes.buffer), 0, this.#recentKey, { source, group });
    return bytes;
  }

  /** What (*,G) forwarded of one source before it had a route. */
  readRecent(value: Uint8Array): CopyCounters {
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    return copyCounters((name) => view.getBigUint64(this.#recent.member(name).offset, LITTLE_ENDIAN));
  }

  /** Where a route's accepted packets are among the counters of all routes, in 64-bit words. */
  get packetsWord(): { readonly first: number; readonly stride: number } {
    return { first: this.#routeCounters.word('packets'), stride: this.#routeCounters.words };
  }

  /** `words`: of many routes, each summed over the CPUs. */
  readRouteCounters(words: BigUint64Array, index: number): RouteCounters {
    const read = (name: string): bigint => this.#routeCounters.read(words, index, name);
    return {
      ...copyCounters(read),
      redirectErrors: read('redirect_errors'),
      wrongInterface: read('wrong_interface'),
      ttlDrops: read('ttl_drops'),
    };
  }

  get vportCounterWords(): number {
    return this.#vportCounters.words;
  }

  /** `words`: of many vports, each summed over the CPUs. */
  readVportCounters(words: BigUint64Array, index: number): VportCounters {
    const read = (name: string): bigint => this.#vportCounters.read(words, index, name);
    const readAll = (name: string): readonly bigint[] => this.#vportCounters.readAll(words, index, name);
    return {
      rxPackets: read('rx_packets'),
      rxBytes: read('rx_bytes'),
      resentPackets: read('resent_packets'),
      acceptedPackets: read('accepted_packets'),
      txPackets: read('tx_packets'),
      txBytes: read('tx_bytes'),
      drops: readAll('drops'),
      punts: readAll('punts'),
      puntsPoliced: readAll('punts_policed'),
      puntsLost: readAll('punts_lost'),
    };
  }

  /** undefined when the record is shorter than it says or of a class this controller does not know. */
  readPunt(record: Uint8Array): Punt | undefined {
    if (record.length < this.#punt.size) return undefined;
    const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
    const u16 = (name: string): number => view.getUint16(this.#punt.member(name).offset, LITTLE_ENDIAN);
    const u32 = (name: string): number => view.getUint32(this.#punt.member(name).offset, LITTLE_ENDIAN);
    const captured = u32('captured_bytes');
    const puntClass: PuntClass | undefined = PUNT_CLASSES[u16('class')];
    if (puntClass === undefined || this.#punt.size + captured > record.length) return undefined;
    return {
      class: puntClass,
      vport: u16('vport'),
      timeNs: view.getBigUint64(this.#punt.member('time_ns').offset, LITTLE_ENDIAN),
      frame: record.subarray(this.#punt.size, this.#punt.size + captured),
      frameBytes: u32('frame_bytes'),
    };
  }
}

/** Into the `index`-th of many structs that have both members. */
function writeAddresses(view: DataView, index: number, layout: Layout, { source, group }: RouteKey): void {
  const at = index * layout.size;
  view.setUint32(at + layout.member('source').offset, source);
  view.setUint32(at + layout.member('group').offset, group);
}

/** Members that struct xm_route_counters and struct xm_recent share. */
function copyCounters(read: (member: string) => bigint): CopyCounters {
  return {
    packets: read('packets'),
    bytes: read('bytes'),
    expected: read('expected'),
    copies: read('sent'),
    copyBytes: read('sent_bytes'),
    failed: read('failed'),
    dropped: read('dropped'),
  };
}

/** Finds 64-bit members among the words of many structs that lie one behind the other. */
class WordReader {
  /** Of one struct. */
  readonly words: number;
  readonly #layout: Layout;

  constructor(layout: Layout) {
    if (layout.size % WORD_BYTES !== 0) throw mismatch('counters are not made of 64-bit words');
    this.#layout = layout;
    this.words = layout.size / WORD_BYTES;
  }

  word(name: string): number {
    return this.#layout.member(name).offset / WORD_BYTES;
  }

  read(words: BigUint64Array, index: number, name: string): bigint {
    return words[index * this.words + this.word(name)] ?? 0n;
  }

  readAll(words: BigUint64Array, index: number, name: string): readonly bigint[] {
    const first = index * this.words + this.word(name);
    return Array.from({ length: this.#layout.member(name).elements }, (_, i) => words[first + i] ?? 0n);
  }
}

/** Names of an enum's members by value, without prefix, lower case; the closing _MAX is left out. */
function namesOf(btf: BtfLayout, enumName: string, prefix: string): readonly string[] {
  const members = btf.enums[enumName];
  if (members === undefined) throw mismatch(`enum ${enumName} is missing`);
  return Object.entries(members)
    .filter(([name]) => name !== `${prefix}MAX`)
    .sort(([, a], [, b]) => a - b)
    .map(([name]) => name.slice(prefix.length).toLowerCase());
}

function checkPuntClasses(found: readonly string[]): void {
  if (found.join() !== PUNT_CLASSES.join()) throw mismatch(`enum xm_punt_class is ${found.join()}, expected ${PUNT_CLASSES.join()}`);
}
