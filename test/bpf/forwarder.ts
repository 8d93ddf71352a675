/** The eBPF object loaded for a test, with its maps at hand. Packets come in by the loopback device, which is vport 1. */
import { BpfMap, BpfObject, type BpfProgram } from '#bindings';
import { Abi, type InstalledRoute } from '../../control/dataplane/abi';
import { PUNT_CLASSES, type RouteCounters, type VportCounters } from '../../control/dataplane/api';
import { u32Key, u32Keys } from '../../control/dataplane/keys';
import { PrefixRoutes } from '../../control/dataplane/prefix-routes';
import { bpfObjectPath } from '../../control/paths';
import { ip } from './packet';

export const XDP = { ABORTED: 0, DROP: 1, PASS: 2, TX: 3, REDIRECT: 4 } as const;
export const VPORT = 1;
const LOOPBACK_IFINDEX = 1;
const DEVMAP = 14;

export class Forwarder {
  readonly abi: Abi;
  readonly ingress: BpfProgram;
  readonly egress: BpfProgram;
  readonly #object: BpfObject;
  readonly #groups: BpfMap[];

  private constructor(object: BpfObject, groups: BpfMap[]) {
    this.#object = object;
    this.#groups = groups;
    this.abi = new Abi(object.btf);
    this.ingress = object.program('xm_ingress');
    this.egress = object.program('xm_egress');
  }

  static async load(): Promise<Forwarder> {
    const object = BpfObject.open(bpfObjectPath());
    await object.load();
    const groups = [0, 1].map(() => BpfMap.create({ type: DEVMAP, name: 'group', keySize: 4, valueSize: 8, maxEntries: 4 }));
    await object.map('xm_groups').updateBatch(u32Keys([0, 1]), u32Keys(groups.map(({ fd }) => fd)), groups.length);
    const forwarder = new Forwarder(object, groups);
    forwarder.setVport({});
    object.map('xm_fast_ports').update(u32Key(LOOPBACK_IFINDEX), u32Key(VPORT));
    for (const [i] of PUNT_CLASSES.entries()) forwarder.setPolicer(i, 1000, 1000);
    return forwarder;
  }

  setVport({ ttlThreshold = 1, mtu = 1500 }): void {
    const port = { vport: VPORT, name: 'lo', ifindex: LOOPBACK_IFINDEX, macAddress: new Uint8Array(6), mtu, ttlThreshold };
    this.#object.map('xm_vports').update(u32Key(VPORT), this.abi.vport(port));
  }

  setPolicer(puntClass: number, ratePps: number, burst: number): void {
    const map = this.#object.map('xm_policer_cfg');
    map.update(u32Key(puntClass), this.abi.policer({ ratePps, burst }));
    this.setTotalPolicer(puntClass, 1_000_000, 1_000_000);
  }

  setTotalPolicer(puntClass: number, ratePps: number, burst: number): void {
    this.#object.map('xm_policer_cfg').update(u32Key(PUNT_CLASSES.length + puntClass), this.abi.policer({ ratePps, burst }));
  }

  setRoute(source: string, group: string, route: Partial<InstalledRoute>): void {
    const value = this.abi.route({ counter: 0, group: 0, incoming: VPORT, copies: 2, learn: false, ttlThreshold: 0, ...route });
    this.#object.map('xm_routes').update(this.abi.routeKey(source === '*' ? 0 : ip(source), ip(group)), value);
  }

  /** The longest-prefix tables of this object, empty. */
  prefixRoutes(): PrefixRoutes {
    return new PrefixRoutes(this.abi, { groups: this.#object.map('xm_group_prefixes'), sources: this.#object.map('xm_source_prefixes') });
  }

  removePort(): void {
    this.#object.map('xm_fast_ports').update(u32Key(LOOPBACK_IFINDEX), u32Key(0));
  }

  run(data: Uint8Array): { verdict: number; out: Uint8Array } {
    const { retval, dataOut } = this.ingress.run({ data, dataSizeOut: data.length + 64 });
    return { verdict: retval, out: dataOut };
  }

  resend(data: Uint8Array): { verdict: number } {
    return { verdict: this.#object.program('xm_resend').run({ data }).retval };
  }

  route(counter = 0): RouteCounters {
    const map = this.#object.map('xm_route_stats');
    const value = map.lookup(u32Key(counter));
    if (value === undefined) throw new Error(`no counter ${counter}`);
    return this.abi.readRouteCounters(sumOverCpus(value, map), 0);
  }

  vport(): VportCounters {
    const map = this.#object.map('xm_vport_stats');
    const value = map.lookup(u32Key(VPORT));
    if (value === undefined) throw new Error('no vport counters');
    return this.abi.readVportCounters(sumOverCpus(value, map), 0);
  }

  /** Only reasons that have occurred. */
  drops(): Record<string, number> {
    return nonZero(this.abi.dropReasons, this.vport().drops);
  }

  punts(): Record<string, number> {
    return nonZero(PUNT_CLASSES, this.vport().punts);
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

/** A value of a per-CPU map, as words. */
function sumOverCpus(value: Uint8Array, map: BpfMap): BigUint64Array {
  const words = new BigUint64Array(value.slice().buffer);
  const sums = new BigUint64Array(map.info.valueSize / 8);
  words.forEach((word, i) => (sums[i % sums.length] = (sums[i % sums.length] ?? 0n) + word));
  return sums;
}

function nonZero(labels: readonly string[], values: readonly bigint[]): Record<string, number> {
  return Object.fromEntries(labels.map((label, i) => [label, Number(values[i] ?? 0n)] as const).filter(([, value]) => value > 0));
}
