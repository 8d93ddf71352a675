/**
 * The data plane in this process: loads the eBPF object, owns its maps and puts the parts together. The only file that knows which map
 * belongs to which part.
 */
import { RingBufferReader } from '#bindings';
import type { BpfMap, BpfProgram } from '#bindings';
import type { RouteChange, VportId } from '../mrib/route';
import type { Abi } from './abi';
import type {
  CounterSnapshot, Dataplane, DataplaneUsage, PolicerSettings, PortSpec, Punt, PuntClass, RouteCounters, RouteProblem, VportCounters,
} from './api';
import { CounterSlots } from './counter-slots';
import { Handover } from './handover';
import { readU32, u32Key } from './keys';
import { loadForwarder, pinForwarder, type Forwarder } from './loader';
import { PinFolder } from './pin-folder';
import { PortTable } from './ports';
import { outerEntries, Replication } from './replication';
import { RouteTable } from './routes';

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
  /** Something went wrong that forwarding survives: one sentence. */
  readonly onTrouble: (message: string) => void;
  readonly nowMs: () => number;
}

interface Parts {
  readonly forwarder: Forwarder;
  readonly pins: PinFolder;
  readonly ports: PortTable;
  readonly replication: Replication;
}

export class BpfDataplane implements Dataplane {
  readonly dropReasons: readonly string[];
  readonly #options: BpfDataplaneOptions;
  readonly #forwarder: Forwarder;
  readonly #abi: Abi;
  readonly #pins: PinFolder;
  readonly #ports: PortTable;
  readonly #replication: Replication;
  readonly #routes: RouteTable;
  readonly #slots: CounterSlots;
  readonly #handover: Handover;
  readonly #routeStats: BpfMap;
  readonly #vportStats: BpfMap;
  readonly #resender: BpfProgram;
  #reader: RingBufferReader | undefined;
  #closed = false;

  private constructor(options: BpfDataplaneOptions, { forwarder, pins, ports, replication }: Parts) {
    const { object, abi } = forwarder;
    this.#options = options;
    this.#forwarder = forwarder;
    this.#abi = abi;
    this.#pins = pins;
    this.#ports = ports;
    this.#replication = replication;
    this.dropReasons = abi.dropReasons;
    this.#routeStats = object.map('xm_route_stats');
    this.#vportStats = object.map('xm_vport_stats');
    this.#resender = object.program('xm_resend');
    const zero = new Uint8Array(this.#routeStats.valueBytes);
    this.#slots = new CounterSlots(counterSlots(options.routeLimit), (slot) => this.#routeStats.update(u32Key(slot), zero));
    this.#handover = new Handover(abi, object.map('xm_recent_flows'));
    this.#routes = new RouteTable(abi, {
      map: object.map('xm_routes'),
      groups: replication.pool,
      slots: this.#slots,
      limit: options.routeLimit,
      onRemoved: (name, entry) => this.#handover.removed(name, entry),
    });
  }

  /** Rejects with XmcastError: XM_BPFFS, XM_ALREADY_RUNNING, XM_BPF_LOAD. */
  static async open(options: BpfDataplaneOptions): Promise<BpfDataplane> {
    const pins = await PinFolder.open(options.pinPath);
    try {
      const dataplane = new BpfDataplane(options, await openParts(options, pins));
      dataplane.#listen();
      return dataplane;
    } catch (error) {
      pins.remove();
      throw error;
    }
  }

  get usage(): DataplaneUsage {
    return { routes: this.#routes.size, routeLimit: this.#options.routeLimit, groups: this.#replication.pool.used, groupLimit: this.#replication.pool.limit };
  }

  async setPort(port: PortSpec): Promise<void> {
    if (port.vport < 1 || port.vport >= this.#abi.maxVports) throw new RangeError(`vport ${port.vport} is not within 1 to ${this.#abi.maxVports - 1}`);
    if (await this.#ports.set(port)) this.#replication.rewrite(port.vport);
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
    this.#replication.growIfShort();
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

  resend(vport: VportId, frame: Uint8Array): Promise<void> {
    const ingressIfindex = this.#ports.ifindexOf(vport);
    if (ingressIfindex === undefined || this.#closed) return Promise.resolve();
    return this.#resender.runLive({ data: frame, repeat: 1, ingressIfindex, batchSize: 1 });
  }

  transmit(vport: VportId, frame: Uint8Array): string | undefined {
    return this.#ports.transmit(vport, frame);
  }

  tick(nowMs: number): number | undefined {
    const due = [this.#replication.pool.tick(nowMs), this.#slots.tick(nowMs)].filter((at) => at !== undefined);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#reader?.close();
    await this.#ports.close();
    this.#pins.remove();
    for (const link of this.#forwarder.observers) link.close();
    this.#forwarder.object.close();
    await this.#replication.close();
  }

  #listen(): void {
    this.#reader = new RingBufferReader(this.#forwarder.object.map('xm_punts'), (records) => {
      const punts = records.map((record) => this.#abi.readPunt(record)).filter((punt) => punt !== undefined);
      if (!this.#closed) this.#options.onPunts(punts);
    });
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

async function openParts(options: BpfDataplaneOptions, pins: PinFolder): Promise<Parts> {
  const { routeLimit, groupLimit, ports: portCount } = options;
  const sizes = { routes: routeLimit, counters: counterSlots(routeLimit), groups: outerEntries(groupLimit) };
  const forwarder = await loadForwarder(options.objectPath, sizes, options.policers);
  const { object, abi } = forwarder;
  pinForwarder(forwarder, pins);
  const ports = new PortTable(abi, { ports: object.map('xm_ports'), vports: object.map('xm_vports') }, object.program('xm_ingress'), pins);
  const replication = await Replication.create({
    outer: object.map('xm_groups'),
    egress: object.program('xm_egress'),
    limit: groupLimit,
    ports: portCount,
    ifindexOf: (vport) => ports.ifindexOf(vport),
    onGrowthFailed: options.onTrouble,
  });
  return { forwarder, pins, ports, replication };
}
