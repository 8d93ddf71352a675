/**
 * The structs shared with the eBPF programs, as their BTF declares them: names looked up once, offsets never written down here.
 * Refuses an object that lacks anything this controller needs. Knows layouts only, no meaning.
 */
import type { BtfLayout } from '#bindings';
import type { RouteKey } from '../mrib/route';
import type { Ipv4, Ipv4Prefix } from '../protocol/packet/address';
import { withTag } from '../protocol/packet/ethernet';
import { PUNT_CLASSES, ROUTE_COUNTER_FIELDS } from './api';
import type { CopyCounters, PortSpec, Punt, PuntClass, RouteCounters, VportCounters } from './api';
import { Layout, LITTLE_ENDIAN, mismatch, namesOf, WORD_BYTES, WordReader } from './layout';
import type { IndexLayout } from './route-index';

const NANOSECONDS_PER_SECOND = 1_000_000_000n;
/** A packet with a TTL of 1 has nothing left to decrement. */
const SMALLEST_TTL = 2;
/** Of a source prefix key: the set is matched whole. */
const SET_BITS = 32;
const ETHERNET_BYTES = 14;

export interface InstalledRoute {
  readonly counter: number;
  readonly group: number;
  /** undefined: XM_IIF_NONE. */
  readonly incoming: number | undefined;
  readonly copies: number;
  readonly learn: boolean;
  readonly ttlThreshold: number;
  /** Left to the tc program. Default false. */
  readonly viaTc?: boolean;
  /** For the machine itself too; only with viaTc. Default false. */
  readonly local?: boolean;
  /** Some of its outgoing ports are VLANs: SlotPorts has been told which slot is whose. Default false. */
  readonly toVlans?: boolean;
}

/** As in struct xm_slot_key. */
export interface SlotKey {
  readonly group: number;
  /** 0: `place` is a slot. */
  readonly ifindex: number;
  readonly place: number;
}

export class Abi {
  readonly dropReasons: readonly string[];
  readonly maxVports: number;
  readonly maxCpus: number;
  /** Interface indexes below this are looked up without hashing. */
  readonly fastPorts: number;
  readonly #btf: BtfLayout;
  readonly #iifNone: number;
  readonly #learn: number;
  readonly #threshold: number;
  readonly #tc: number;
  readonly #local: number;
  readonly #trunk: number;
  readonly #tagged: number;
  readonly #bits: { readonly counter: number; readonly iif: number; readonly group: number; readonly copies: number };
  readonly #newSource: number;
  readonly #noRoute: number;
  readonly #portKey: Layout;
  readonly #port: Layout;
  readonly #vport: Layout;
  readonly #slotKey: Layout;
  readonly #routeKey: Layout;
  readonly #groupPrefix: Layout;
  readonly #sourcePrefix: Layout;
  readonly #route: Layout;
  readonly #bucket: Layout;
  readonly #policer: Layout;
  readonly #recentKey: Layout;
  readonly #recent: Layout;
  readonly #punt: Layout;
  /** Looked up once: there may be fifty thousand a second. */
  readonly #puntOffsets: Readonly<Record<'captured' | 'puntClass' | 'vport' | 'frameBytes' | 'liftedTag' | 'hostHasIt', number>>;
  readonly #routeCounters: WordReader;
  readonly #routeFaults: WordReader;
  readonly #vportCounters: WordReader;

  constructor(btf: BtfLayout) {
    this.#btf = btf;
    this.maxVports = this.constant('XM_MAX_VPORTS');
    this.maxCpus = this.constant('XM_MAX_CPUS');
    this.fastPorts = this.constant('XM_FAST_PORTS');
    this.#iifNone = this.constant('XM_IIF_NONE');
    this.#learn = this.constant('XM_ROUTE_LEARN');
    this.#threshold = this.constant('XM_ROUTE_THRESHOLD');
    this.#tc = this.constant('XM_ROUTE_TC');
    this.#local = this.constant('XM_ROUTE_LOCAL');
    this.#trunk = this.constant('XM_ROUTE_TRUNK');
    this.#tagged = this.constant('XM_PUNT_TAGGED');
    this.#bits = {
      counter: this.constant('XM_ROUTE_COUNTER_BITS'),
      iif: this.constant('XM_ROUTE_IIF_BITS'),
      group: this.constant('XM_ROUTE_GROUP_BITS'),
      copies: this.constant('XM_ROUTE_COPIES_BITS'),
    };
    this.#newSource = this.constant('XM_PUNT_NEW_SOURCE');
    this.#noRoute = this.constant('XM_PUNT_NO_ROUTE');
    this.dropReasons = namesOf(btf, 'xm_drop_reason', 'XM_DROP_');
    checkPuntClasses(namesOf(btf, 'xm_punt_class', 'XM_PUNT_'));
    this.#portKey = new Layout(btf, 'xm_port_key');
    this.#port = new Layout(btf, 'xm_port');
    this.#vport = new Layout(btf, 'xm_vport');
    this.#slotKey = new Layout(btf, 'xm_slot_key');
    this.#routeKey = new Layout(btf, 'xm_route_key');
    this.#groupPrefix = new Layout(btf, 'xm_group_prefix');
    this.#sourcePrefix = new Layout(btf, 'xm_source_prefix');
    this.#route = new Layout(btf, 'xm_route');
    this.#bucket = new Layout(btf, 'xm_route_bucket');
    if (this.#route.size !== WORD_BYTES || this.#routeKey.size !== WORD_BYTES) throw mismatch('a route or its key is not one 64-bit word');
    this.#policer = new Layout(btf, 'xm_policer_config');
    this.#recentKey = new Layout(btf, 'xm_recent_key');
    this.#recent = new Layout(btf, 'xm_recent');
    this.#punt = new Layout(btf, 'xm_punt');
    const offsetOf = (name: string): number => this.#punt.member(name).offset;
    this.#puntOffsets = {
      captured: offsetOf('captured_bytes'),
      puntClass: offsetOf('class'),
      vport: offsetOf('vport'),
      frameBytes: offsetOf('frame_bytes'),
      liftedTag: offsetOf('lifted_tag'),
      hostHasIt: offsetOf('host_has_it'),
    };
    this.#routeCounters = new WordReader(new Layout(btf, 'xm_route_counters'));
    this.#routeFaults = new WordReader(new Layout(btf, 'xm_route_faults'));
    this.#vportCounters = new WordReader(new Layout(btf, 'xm_vport_counters'));
    this.#lookUpMembers();
  }

  /** Members are looked up where they are used: used once here, so that one that is missing stops the start and not the running daemon. */
  #lookUpMembers(): void {
    const macAddress = new Uint8Array(6);
    const port = { vport: 0, name: '', ifindex: 0, macAddress, mtu: 0, ttlThreshold: 1, hasXdp: true };
    this.portKey(0, 0);
    this.slotKeys([{ group: 0, ifindex: 0, place: 0 }]);
    this.port(port);
    this.vport(port);
    this.routeKey(0, 0);
    this.groupPrefix({ address: 0, length: 0 });
    this.sourcePrefix(0, { address: 0, length: 0 });
    this.route({ counter: 0, group: 0, incoming: undefined, copies: 0, learn: false, ttlThreshold: 0, viaTc: true, local: true });
    this.newSourceKey(0, 0, 0);
    this.readRecent(new Uint8Array(this.#recent.size));
    this.readRouteCounters(new BigUint64Array(0), new BigUint64Array(0), 0);
    this.readVportCounters(new BigUint64Array(0), 0);
    this.readPunt(new Uint8Array(this.#punt.size));
  }

  constant(name: string): number {
    const value = this.#btf.enumerators[name];
    if (value === undefined) throw mismatch(`constant ${name} is missing`);
    return value;
  }

  portKey(ifindex: number, vlan: number): Uint8Array {
    return this.#portKey.write({ ifindex, vlan });
  }

  /** One behind the other. */
  slotKeys(keys: readonly SlotKey[]): Uint8Array {
    const bytes = new Uint8Array(keys.length * this.#slotKey.size);
    const view = new DataView(bytes.buffer);
    keys.forEach(({ group, ifindex, place }, i) => this.#slotKey.writeAt(view, i, { group, ifindex, place }));
    return bytes;
  }

  port({ vport, ttlThreshold, hasXdp }: Pick<PortSpec, 'vport' | 'ttlThreshold'> & { readonly hasXdp: boolean }): Uint8Array {
    return this.#port.write({ vport, ttl_minimum: Math.max(ttlThreshold, SMALLEST_TTL), has_xdp: hasXdp ? 1 : 0 });
  }

  /** The value for an interface that is no port. */
  get noPort(): Uint8Array {
    return new Uint8Array(this.#port.size);
  }

  vport(port: PortSpec): Uint8Array {
    const bytes = this.#vport.write({ ifindex: port.ifindex, mtu: Math.min(port.mtu, 0xffff), ttl_threshold: port.ttlThreshold, vlan: port.vlan ?? 0 });
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

  /** Of the buckets in which routes are found first. */
  get routeIndex(): IndexLayout {
    const word = (name: string): number => this.#bucket.member(name).offset / WORD_BYTES;
    return {
      slots: this.constant('XM_INDEX_SLOTS'),
      bucketWords: this.#bucket.size / WORD_BYTES,
      firstKey: word('keys'),
      firstRoute: word('routes'),
      sourceHalf: this.#routeKey.member('source').offset === 0 ? 0 : 1,
      groupHalf: this.#routeKey.member('group').offset === 0 ? 0 : 1,
      firstFactor: this.constant('XM_INDEX_FIRST_FACTOR'),
      secondFactor: this.constant('XM_INDEX_SECOND_FACTOR'),
      fold: this.constant('XM_INDEX_FOLD'),
    };
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
    const { counter, group, copies } = this.#bits;
    const flags = this.#flagsOf(route);
    // What nothing comes in by may go out by all vports, one more than there is room for; nothing will.
    const possibleCopies = Math.min(route.copies, 2 ** copies - 1);
    this.#route.writeAt(view, index, {
      flow: route.counter + (route.incoming ?? this.#iifNone) * 2 ** counter,
      out: route.group + possibleCopies * 2 ** group + flags * 2 ** (group + copies),
    });
  }

  /** Under which it is told that the machine is a member on an interface of this route. */
  memberKey(counter: number, vport: number): number {
    return counter + vport * 2 ** this.#bits.counter;
  }

  #flagsOf({ learn, ttlThreshold, viaTc = false, local = false, toVlans = false }: InstalledRoute): number {
    const isAbove = ttlThreshold > 0;
    return (learn ? this.#learn : 0) | (isAbove ? this.#threshold : 0) | (viaTc ? this.#tc : 0) | (local ? this.#local : 0) | (toVlans ? this.#trunk : 0);
  }

  /** Of each kind there can be so many, numbered from 0: a route has no room for more. */
  get routeLimits(): { readonly counters: number; readonly groups: number } {
    return { counters: 2 ** this.#bits.counter, groups: 2 ** this.#bits.group };
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

  /** `words`, `faults`: of many routes, each summed over the CPUs. */
  readRouteCounters(words: BigUint64Array, faults: BigUint64Array, index: number): RouteCounters {
    const read = (name: string): bigint => this.#routeCounters.read(words, index, name);
    return {
      ...copyCounters(read),
      redirectErrors: this.#routeFaults.read(faults, index, 'redirect_errors'),
      wrongInterface: read('wrong_interface'),
      ttlDrops: this.#routeFaults.read(faults, index, 'ttl_drops'),
    };
  }

  /** Where readRouteCounters() finds each of ROUTE_COUNTER_FIELDS: in the words or in the faults, and which of a route's. */
  get routeCounterPlaces(): readonly { readonly isFault: boolean; readonly word: number }[] {
    const faults: Readonly<Record<string, string>> = { redirectErrors: 'redirect_errors', ttlDrops: 'ttl_drops' };
    const words: Readonly<Record<string, string>> = { copies: 'sent', copyBytes: 'sent_bytes', wrongInterface: 'wrong_interface' };
    return ROUTE_COUNTER_FIELDS.map((field) => {
      const fault = faults[field];
      return fault === undefined
        ? { isFault: false, word: this.#routeCounters.word(words[field] ?? field) }
        : { isFault: true, word: this.#routeFaults.word(fault) };
    });
  }

  get routeFaultWords(): number {
    return this.#routeFaults.words;
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
      originatedPackets: read('originated_packets'),
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
    const at = this.#puntOffsets;
    const captured = view.getUint32(at.captured, LITTLE_ENDIAN);
    const puntClass: PuntClass | undefined = PUNT_CLASSES[view.getUint16(at.puntClass, LITTLE_ENDIAN)];
    if (puntClass === undefined || this.#punt.size + captured > record.length) return undefined;
    const frame = record.subarray(this.#punt.size, this.#punt.size + captured);
    const frameBytes = view.getUint32(at.frameBytes, LITTLE_ENDIAN);
    const hostHasIt = view.getUint32(at.hostHasIt, LITTLE_ENDIAN) !== 0;
    const punt = { class: puntClass, vport: view.getUint16(at.vport, LITTLE_ENDIAN), hostHasIt };
    const tag = view.getUint32(at.liftedTag, LITTLE_ENDIAN);
    if (tag < this.#tagged || captured < ETHERNET_BYTES) return { ...punt, frame, frameBytes };
    // As it was on the wire: the kernel had the tag beside the frame.
    const tagged = withTag(frame, tag - this.#tagged);
    return { ...punt, frame: tagged, frameBytes: frameBytes + tagged.length - frame.length };
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

function checkPuntClasses(found: readonly string[]): void {
  if (found.join() !== PUNT_CLASSES.join()) throw mismatch(`enum xm_punt_class is ${found.join()}, expected ${PUNT_CLASSES.join()}`);
}
