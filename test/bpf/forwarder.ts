/** The eBPF object loaded for a test, with its maps at hand. Packets come in by the loopback device, which is vport 1. */
import { BpfMap, BpfObject, possibleCpus, type BpfProgram } from '#bindings';
import { Abi, type InstalledRoute } from '../../control/dataplane/abi';
import { PUNT_CLASSES, type RouteCounters, type VportCounters } from '../../control/dataplane/api';
import { u32Key, u32Keys } from '../../control/dataplane/keys';
import { setSizes } from '../../control/dataplane/loader';
import { RouteIndex } from '../../control/dataplane/route-index';
import { SlotPorts } from '../../control/dataplane/slot-ports';
import { PrefixRoutes } from '../../control/dataplane/prefix-routes';
import { bpfObjectPath } from '../../control/paths';
import { ip } from './packet';

export const XDP = { ABORTED: 0, DROP: 1, PASS: 2, TX: 3, REDIRECT: 4 } as const;
/** Verdicts of tc programs. */
export const TC = { NEXT: -1, SHOT: 2 } as const;
export const VPORT = 1;
/** A VLAN of the loopback device. */
export const VLAN_VPORT = 3;
export const VLAN = 100;
/** Of the source of every copy. */
export const PORT_MAC = Uint8Array.of(2, 0, 0, 0, 1, 1);
export const VLAN_MAC = Uint8Array.of(2, 0, 0, 0, 1, 2);
const LOOPBACK_IFINDEX = 1;
const DEVMAP = 14;
const SIZES = { routes: 1024, counters: 1024, groups: 64, ranges: 64, vlanSlots: 64 };

export class Forwarder {
  readonly abi: Abi;
  readonly ingress: BpfProgram;
  readonly egress: BpfProgram;
  readonly tc: BpfProgram;
  readonly #object: BpfObject;
  readonly #groups: BpfMap[];
  readonly #index: RouteIndex;

  private constructor(object: BpfObject, abi: Abi, groups: BpfMap[]) {
    this.#object = object;
    this.#groups = groups;
    this.abi = abi;
    this.#index = new RouteIndex(abi.routeIndex, object.map('xm_route_buckets').words());
    this.ingress = object.program('xm_ingress');
    this.egress = object.program('xm_egress');
    this.tc = object.program('xm_tc_ingress');
  }

  static async load(): Promise<Forwarder> {
    const object = BpfObject.open(bpfObjectPath());
    const abi = new Abi(object.btf);
    setSizes(object, abi, SIZES);
    await object.load();
    const groups = [0, 1].map(() => BpfMap.create({ type: DEVMAP, name: 'group', keySize: 4, valueSize: 8, maxEntries: 4 }));
    await object.map('xm_groups').updateBatch(u32Keys([0, 1]), u32Keys(groups.map(({ fd }) => fd)), groups.length);
    const forwarder = new Forwarder(object, abi, groups);
    forwarder.setVport({});
    for (const [i] of PUNT_CLASSES.entries()) forwarder.setPolicer(i, 1000, 1000);
    return forwarder;
  }

  setVport({ ttlThreshold = 1, mtu = 1500, hasXdp = true }): void {
    const port = { vport: VPORT, name: 'lo', ifindex: LOOPBACK_IFINDEX, macAddress: PORT_MAC, mtu, ttlThreshold };
    this.#object.map('xm_vports').update(u32Key(VPORT), this.abi.vport(port));
    this.#object.map('xm_fast_ports').update(u32Key(LOOPBACK_IFINDEX), this.abi.port({ ...port, hasXdp }));
  }

  /** The second port. 0: none. */
  setVlan(vlan: number, { ttlThreshold = 1, mtu = 1500, hasXdp = true } = {}): void {
    const port = { vport: VLAN_VPORT, name: 'lo', ifindex: LOOPBACK_IFINDEX, vlan, macAddress: VLAN_MAC, mtu, ttlThreshold };
    this.#object.map('xm_vports').update(u32Key(VLAN_VPORT), this.abi.vport(port));
    this.#object.map('xm_ports').update(this.abi.portKey(LOOPBACK_IFINDEX, vlan), this.abi.port({ ...port, hasXdp }));
    const trunks = this.#object.map('xm_trunks');
    trunks.update(u32Key(LOOPBACK_IFINDEX), new Uint8Array(trunks.valueBytes));
  }

  /** The slots are for these ports, all of them on the loopback device. */
  fillTrunkGroup(group: number, vports: readonly number[]): void {
    const ports = new SlotPorts(this.abi, this.#object.map('xm_slot_ports'), new Set([VLAN_VPORT]));
    ports.fill(group, vports.map((vport, slot) => ({ slot, vport, ifindex: LOOPBACK_IFINDEX })));
    this.fillGroup(group, vports.length);
  }

  /** So many copies of what takes this group leave by the loopback device. */
  fillGroup(group: number, copies: number): void {
    for (let slot = 0; slot < copies; slot++) this.#groups[group]?.update(u32Key(slot), u32Keys([LOOPBACK_IFINDEX, 0]));
  }

  setPolicer(puntClass: number, ratePps: number, burst: number): void {
    const map = this.#object.map('xm_policer_cfg');
    map.update(u32Key(puntClass), this.abi.policer({ ratePps, burst }));
    this.setTotalPolicer(puntClass, 1_000_000, 1_000_000);
  }

  setTotalPolicer(puntClass: number, ratePps: number, burst: number): void {
    this.#object.map('xm_policer_cfg').update(u32Key(PUNT_CLASSES.length + puntClass), this.abi.policer({ ratePps, burst }));
  }

  /** `indexed`: to be found by the index already; else only in the table of all routes. */
  setRoute(source: string, group: string, { indexed = true, ...route }: Partial<InstalledRoute> & { readonly indexed?: boolean }): void {
    const installed = { counter: 0, group: 0, incoming: VPORT, copies: 2, learn: false, ttlThreshold: 0, ...route };
    this.#object.map('xm_route_thresholds').update(u32Key(installed.counter), u32Key(installed.ttlThreshold));
    const where = { source: source === '*' ? 0 : ip(source), group: ip(group) };
    const [key, value] = [this.abi.routeKey(where.source, where.group), this.abi.route(installed)];
    this.#object.map('xm_routes').update(key, value);
    if (indexed) this.#index.publish(this.#index.reserve(where, word(key), word(value), 0), word(key), word(value));
  }

  /** Routes there are in the index. */
  get indexed(): number {
    const { slots, bucketWords, firstKey } = this.abi.routeIndex;
    return this.#object.map('xm_route_buckets').words().filter((key, at) => key !== 0n && at % bucketWords >= firstKey && at % bucketWords < firstKey + slots).length;
  }

  /** The longest-prefix tables of this object, empty. */
  prefixRoutes(): PrefixRoutes {
    return new PrefixRoutes(this.abi, { groups: this.#object.map('xm_group_prefixes'), sources: this.#object.map('xm_source_prefixes') });
  }

  removePort(): void {
    this.#object.map('xm_fast_ports').update(u32Key(LOOPBACK_IFINDEX), this.abi.noPort);
  }

  run(data: Uint8Array): { verdict: number; out: Uint8Array } {
    const { retval, dataOut } = this.ingress.run({ data, dataSizeOut: data.length + 64 });
    return { verdict: retval, out: dataOut };
  }

  runTc(data: Uint8Array): { verdict: number; out: Uint8Array } {
    const { retval, dataOut } = this.tc.run({ data, dataSizeOut: data.length + 64 });
    return { verdict: retval | 0, out: dataOut };
  }

  /** As if a socket of this machine had sent it by the loopback device. */
  runOriginated(data: Uint8Array): { verdict: number; out: Uint8Array } {
    const { retval, dataOut } = this.#object.program('xm_tc_originated').run({ data, dataSizeOut: data.length + 64 });
    return { verdict: retval | 0, out: dataOut };
  }

  /** The machine is a member on this vport, as far as the route with this counter goes. */
  addMember(vport: number, counter = 0): void {
    this.#object.map('xm_members').update(u32Key(this.abi.memberKey(counter, vport)), u32Key(1));
  }

  /** `out`: what is left of it, its tag beside it. */
  resend(data: Uint8Array): { verdict: number; out: Uint8Array } {
    const { retval, dataOut } = this.#object.program('xm_resend').run({ data, dataSizeOut: data.length + 64 });
    return { verdict: retval | 0, out: dataOut };
  }

  route(counter = 0): RouteCounters {
    const faults = this.#sum('xm_route_fault_stats', [counter]);
    return this.abi.readRouteCounters(this.#sumOverCpus('xm_route_stats', counter, SIZES.counters), faults, 0);
  }

  vport(vport = VPORT): VportCounters {
    return this.abi.readVportCounters(this.#sumOverCpus('xm_vport_stats', vport, this.abi.maxVports), 0);
  }

  /** `stride`: values of one CPU. */
  #sumOverCpus(map: string, index: number, stride: number): BigUint64Array {
    return this.#sum(
      map,
      Array.from({ length: possibleCpus() }, (_, cpu) => cpu * stride + index),
    );
  }

  #sum(name: string, indexes: readonly number[]): BigUint64Array {
    const map = this.#object.map(name);
    const sums = new BigUint64Array(map.info.valueSize / 8);
    for (const index of indexes) {
      const value = map.lookup(u32Key(index));
      if (value === undefined) throw new Error(`no entry ${index} in ${name}`);
      new BigUint64Array(value.slice().buffer).forEach((word, i) => (sums[i] = (sums[i] ?? 0n) + word));
    }
    return sums;
  }

  /** Only reasons that have occurred. */
  drops(vport = VPORT): Record<string, number> {
    return nonZero(this.abi.dropReasons, this.vport(vport).drops);
  }

  punts(vport = VPORT): Record<string, number> {
    return nonZero(PUNT_CLASSES, this.vport(vport).punts);
  }

  policed(): Record<string, number> {
    return nonZero(PUNT_CLASSES, this.vport().puntsPoliced);
  }

  puntMap(): BpfMap {
    return this.#object.map('xm_punts');
  }

  recent(source: string, group: string): { packets: bigint; bytes: bigint } | undefined {
    const value = this.#object.map('xm_recent_flows').lookup(this.abi.newSourceKey(ip(source), ip(group), VPORT));
    return value === undefined ? undefined : this.abi.readRecent(value);
  }

  close(): void {
    this.#object.close();
    for (const group of this.#groups) group.close();
  }
}

function word(bytes: Uint8Array): bigint {
  return new BigUint64Array(bytes.buffer)[0] ?? 0n;
}

function nonZero(labels: readonly string[], values: readonly bigint[]): Record<string, number> {
  return Object.fromEntries(labels.map((label, i) => [label, Number(values[i] ?? 0n)] as const).filter(([, value]) => value > 0));
}
