/**
 * The data plane in this process: loads the eBPF object, owns its maps and puts the parts together. The only file that knows which map
 * belongs to which part.
 */
import { BpfMap, BpfObject, RingBufferReader, possibleCpus } from '#bindings';
import type { BpfProgram } from '#bindings';
import { XmcastError, errorText } from '../errors';
import type { RouteChange, VportId } from '../mrib/route';
import { Abi } from './abi';
import { PUNT_CLASSES } from './api';
import type {
  CounterSnapshot, Dataplane, DataplaneUsage, PolicerSettings, PortSpec, Punt, PuntClass, RouteCounters, RouteProblem, VportCounters,
} from './api';
import { CounterSlots } from './counter-slots';
import { GroupPool, sizeClasses } from './group-pool';
import type { SizeClass } from './group-pool';
import { Handover } from './handover';
import { readU32, u32Key, u32Keys } from './keys';
import { PinFolder } from './pin-folder';
import { PortTable } from './ports';
import { RouteTable } from './routes';

const BPF_MAP_TYPE_DEVMAP = 14;
/** struct bpf_devmap_val: ifindex, program descriptor. */
const DEVMAP_VALUE_BYTES = 8;

export interface BpfDataplaneOptions {
  readonly objectPath: string;
  readonly pinPath: string;
  readonly routeLimit: number;
  /** Distinct outgoing sets at one time. */
  readonly groupLimit: number;
  /** Interfaces there will be: no replication group needs more slots. */
  readonly ports: number;
  readonly policers: Readonly<Record<PuntClass, PolicerSettings>>;
  readonly onPunts: (punts: readonly Punt[]) => void;
  readonly nowMs: () => number;
}

export class BpfDataplane implements Dataplane {
  readonly dropReasons: readonly string[];
  readonly #abi: Abi;
  readonly #object: BpfObject;
  readonly #egress: BpfProgram;
  readonly #pins: PinFolder;
  readonly #ports: PortTable;
  readonly #groups: GroupPool;
  readonly #groupMaps: readonly BpfMap[];
  readonly #routes: RouteTable;
  readonly #slots: CounterSlots;
  readonly #handover: Handover;
  readonly #routeStats: BpfMap;
  readonly #vportStats: BpfMap;
  readonly #options: BpfDataplaneOptions;
  #reader: RingBufferReader | undefined;
  #closed = false;

  private constructor(options: BpfDataplaneOptions, object: BpfObject, abi: Abi, pins: PinFolder, groupMaps: readonly BpfMap[], classes: readonly SizeClass[]) {
    this.#options = options;
    this.#object = object;
    this.#abi = abi;
    this.#pins = pins;
    this.#groupMaps = groupMaps;
    this.dropReasons = abi.dropReasons;
    this.#egress = object.program('xm_egress');
    this.#routeStats = object.map('xm_route_stats');
    this.#vportStats = object.map('xm_vport_stats');
    this.#ports = new PortTable(abi, { ports: object.map('xm_ports'), vports: object.map('xm_vports') }, object.program('xm_ingress'), pins);
    this.#groups = new GroupPool(classes, {
      fill: (group, vports) => this.#fillGroup(group, vports),
      clear: (group, slots) => this.#clearGroup(group, slots),
    });
    const zero = new Uint8Array(this.#routeStats.valueBytes);
    this.#slots = new CounterSlots(counterSlots(options.routeLimit), (slot) => this.#routeStats.update(u32Key(slot), zero));
    this.#handover = new Handover(abi, object.map('xm_recent_flows'));
    this.#routes = new RouteTable(abi, {
      map: object.map('xm_routes'),
      groups: this.#groups,
      slots: this.#slots,
      limit: options.routeLimit,
      onRemoved: (name, entry) => this.#handover.removed(name, entry),
    });
  }

  /** Rejects with XmcastError: XM_BPFFS, XM_ALREADY_RUNNING, XM_BPF_LOAD. */
  static async open(options: BpfDataplaneOptions): Promise<BpfDataplane> {
    const pins = PinFolder.open(options.pinPath);
    try {
      const classes = sizeClasses(options.groupLimit, options.ports);
      const object = openObject(options, classes.reduce((sum, { count }) => sum + count, 0));
      const abi = new Abi(object.btf, possibleCpus());
      await load(object, options.objectPath);
      const groupMaps = await installGroups(object, classes);
      writePolicers(object, abi, options.policers);
      pinMaps(object, pins);
      const dataplane = new BpfDataplane(options, object, abi, pins, groupMaps, classes);
      dataplane.#listen();
      return dataplane;
    } catch (error) {
      pins.remove();
      throw error;
    }
  }

  get usage(): DataplaneUsage {
    return { routes: this.#routes.size, routeLimit: this.#options.routeLimit, groups: this.#groups.used, groupLimit: this.#groups.limit };
  }

  async setPort(port: PortSpec): Promise<void> {
    if (port.vport < 1 || port.vport >= this.#abi.maxVports) throw new RangeError(`vport ${port.vport} is not within 1 to ${this.#abi.maxVports - 1}`);
    const moved = await this.#ports.set(port);
    if (!moved) return;
    for (const group of this.#groups.groupsWith(port.vport)) this.#fillGroup(group.index, group.vports);
  }

  async removePort(vport: VportId): Promise<void> {
    await this.#ports.remove(vport);
  }

  applyRoutes(changes: readonly RouteChange[], nowMs: number): readonly RouteProblem[] {
    const problems: RouteProblem[] = [];
    for (const change of changes) {
      const problem = this.#routes.apply(change, nowMs);
      if (problem !== undefined) problems.push(problem);
    }
    return problems;
  }

  async readCounters(): Promise<CounterSnapshot> {
    const nowMs = this.#options.nowMs();
    const entries = [...this.#routes.entries()];
    const [bySlot, vports] = await Promise.all([this.#readRouteStats(), this.#readVportStats()]);
    const routes = new Map<string, RouteCounters>();
    for (const [name, entry] of entries) {
      const counters = bySlot(entry.counter);
      if (counters !== undefined) routes.set(name, counters);
    }
    if (!this.#closed) this.#handover.settle(routes, entries, nowMs);
    return { routes, vports };
  }

  transmit(vport: VportId, frame: Uint8Array): string | undefined {
    return this.#ports.transmit(vport, frame);
  }

  tick(nowMs: number): number | undefined {
    const due = [this.#groups.tick(nowMs), this.#slots.tick(nowMs)].filter((at) => at !== undefined);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#reader?.close();
    await this.#ports.close();
    this.#pins.remove();
    this.#object.close();
    for (const map of this.#groupMaps) map.close();
  }

  #listen(): void {
    this.#reader = new RingBufferReader(this.#object.map('xm_punts'), (records) => {
      const punts = records.map((record) => this.#abi.readPunt(record)).filter((punt) => punt !== undefined);
      if (!this.#closed) this.#options.onPunts(punts);
    });
  }

  #fillGroup(group: number, vports: readonly VportId[]): void {
    const map = this.#groupMaps[group];
    if (map === undefined) throw new RangeError(`replication group ${group} does not exist`);
    vports.forEach((vport, slot) => {
      const ifindex = this.#ports.ifindexOf(vport);
      if (ifindex === undefined) map.delete(u32Key(slot));
      else map.update(u32Key(slot), u32Keys([ifindex, this.#egress.fd]));
    });
  }

  #clearGroup(group: number, slots: number): void {
    for (let slot = 0; slot < slots; slot++) this.#groupMaps[group]?.delete(u32Key(slot));
  }

  async #readRouteStats(): Promise<(slot: number) => RouteCounters | undefined> {
    if (this.#slots.span === 0) return () => undefined;
    const { keys, values, count } = await this.#routeStats.lookupBatch({ maxEntries: this.#slots.span });
    const places = new Map<number, number>();
    for (let i = 0; i < count; i++) places.set(readU32(keys, i), i);
    return (slot) => {
      const place = places.get(slot);
      return place === undefined ? undefined : this.#abi.readRouteCounters(values, place);
    };
  }

  async #readVportStats(): Promise<ReadonlyMap<VportId, VportCounters>> {
    const { keys, values, count } = await this.#vportStats.lookupBatch({ maxEntries: this.#options.ports + 1 });
    const vports = new Map<VportId, VportCounters>();
    for (let i = 0; i < count; i++) {
      const vport = readU32(keys, i);
      if (vport !== 0) vports.set(vport, this.#abi.readVportCounters(values, i));
    }
    return vports;
  }
}

/** Freed counters rest for a second: some more than there are routes. */
function counterSlots(routes: number): number {
  return routes + Math.max(64, routes >> 3);
}

function openObject(options: BpfDataplaneOptions, groups: number): BpfObject {
  try {
    const object = BpfObject.open(options.objectPath);
    object.setMaxEntries('xm_routes', options.routeLimit);
    object.setMaxEntries('xm_route_stats', counterSlots(options.routeLimit));
    object.setMaxEntries('xm_groups', groups);
    return object;
  } catch (error) {
    throw new XmcastError('XM_BPF_LOAD', `open the eBPF object ${options.objectPath}: ${errorText(error)}`, {
      hint: 'Build it with deploy/bootstrap.sh, or name it with --bpf-object.',
      cause: error,
    });
  }
}

async function load(object: BpfObject, path: string): Promise<void> {
  try {
    await object.load();
  } catch (error) {
    const log = (error as { readonly libbpfLog?: string }).libbpfLog ?? '';
    throw new XmcastError('XM_BPF_LOAD', `load ${path} into the kernel: ${errorText(error)}${log === '' ? '' : `\n${log.trimEnd()}`}`, {
      hint: 'xmcastd needs Linux 5.15 or later with BTF and CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON (or root); before 5.11 also "ulimit -l unlimited".',
      cause: error,
    });
  }
}

/** All in one batch: each single write into the outer map would wait for an RCU grace period of its own. */
async function installGroups(object: BpfObject, classes: readonly SizeClass[]): Promise<readonly BpfMap[]> {
  const maps: BpfMap[] = [];
  for (const { slots, count } of classes) {
    for (let i = 0; i < count; i++) {
      maps.push(BpfMap.create({ type: BPF_MAP_TYPE_DEVMAP, name: 'xm_group', keySize: 4, valueSize: DEVMAP_VALUE_BYTES, maxEntries: slots }));
    }
  }
  await object.map('xm_groups').updateBatch(u32Keys(maps.map((_, i) => i)), u32Keys(maps.map((map) => map.fd)), maps.length);
  return maps;
}

function writePolicers(object: BpfObject, abi: Abi, policers: Readonly<Record<PuntClass, PolicerSettings>>): void {
  const map = object.map('xm_policer_cfg');
  PUNT_CLASSES.forEach((puntClass, i) => map.update(u32Key(i), abi.policer(policers[puntClass])));
}

/** Not needed to run: for a look with bpftool, and so that what forwards outlives the controller whole. */
function pinMaps(object: BpfObject, pins: PinFolder): void {
  for (const name of object.mapNames) if (name.startsWith('xm_')) object.map(name).pin(pins.pinPath(name));
}
