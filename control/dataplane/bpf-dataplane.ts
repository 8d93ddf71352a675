/**
 * The data plane in this process: loads the eBPF object, owns its maps and puts the parts together. The only file that knows which map
 * belongs to which part.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { RingBufferReader } from '#bindings';
import type { BpfMap, BpfProgram } from '#bindings';
import type { RouteChange, RouteKey, VportId } from '../mrib/route';
import type { Abi } from './abi';
import type {
  CounterSnapshot, Dataplane, DataplaneUsage, PolicerSettings, PortAttachment, PortSpec, Punt, PuntClass, RouteProblem,
} from './api';
import { CounterSlots } from './counter-slots';
import { BpfCounterSnapshot } from './counter-snapshot';
import { CounterStore } from './counter-store';
import { Handover } from './handover';
import { loadForwarder, writePolicers, pinForwarder, type Forwarder } from './loader';
import { PinFolder } from './pin-folder';
import { PrefixRoutes } from './prefix-routes';
import { PortTable } from './ports';
import { outerEntries, Replication } from './replication';
import { RouteIndex } from './route-index';
import { RouteTable } from './routes';
import { SlotPorts } from './slot-ports';

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
  /** There is room that there was not before: routes that were refused may be tried again. */
  readonly onRoom?: () => void;
  readonly nowMs: () => number;
}

/** Routes for ranges of groups and sources; what a longer range takes over from a shorter one counts too. */
const RANGE_LIMIT = 4096;
/** Slots of all replication groups that have VLANs in them, those that rest included. */
const VLAN_SLOT_LIMIT = 131_072;

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
  readonly #counters: CounterStore;
  readonly #resender: BpfProgram;
  readonly #recentFlows: BpfMap;
  #reader: RingBufferReader | undefined;
  /** There were no others, so only these have counted. */
  #highestVport = 0;
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
    this.#counters = new CounterStore(object);
    this.#resender = object.program('xm_resend');
    this.#recentFlows = object.map('xm_recent_flows');
    this.#slots = new CounterSlots(counterSlots(options.routeLimit), (slots) => this.#counters.zero(slots));
    this.#handover = new Handover(abi, object.map('xm_recent_flows'));
    this.#routes = new RouteTable(abi, {
      map: object.map('xm_routes'),
      index: new RouteIndex(abi.routeIndex, object.map('xm_route_buckets').words()),
      thresholds: object.map('xm_route_thresholds'),
      ranges: new PrefixRoutes(abi, { groups: object.map('xm_group_prefixes'), sources: object.map('xm_source_prefixes') }),
      groups: replication.pool,
      slots: this.#slots,
      limit: options.routeLimit,
      tcPorts: ports.inTcMode,
      vlanPorts: ports.vlans,
      onInstalled: (entry) => this.#handover.installed(entry),
      onRemoved: (entry) => this.#handover.removed(entry),
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

  async setPort(port: PortSpec): Promise<PortAttachment> {
    if (port.vport < 1 || port.vport >= this.#abi.maxVports) throw new RangeError(`vport ${port.vport} is not within 1 to ${this.#abi.maxVports - 1}`);
    this.#highestVport = Math.max(this.#highestVport, port.vport);
    const { moved, attachment } = await this.#ports.set(port, () => this.#replaceRoutes());
    if (moved) this.#replication.rewrite(port.vport);
    return attachment;
  }

  async removePort(vport: VportId): Promise<void> {
    await this.#ports.remove(vport);
  }

  setPolicers(policers: Readonly<Record<PuntClass, PolicerSettings>>): void {
    writePolicers(this.#forwarder, policers);
  }

  applyRoutes(changes: readonly RouteChange[], nowMs: number): readonly RouteProblem[] {
    const problems = this.#routes.apply(changes, nowMs);
    this.#replication.growIfShort();
    return problems;
  }

  installedAtMs(name: string): number | undefined {
    return this.#routes.entry(name)?.installedAtMs;
  }

  async readCounters(): Promise<CounterSnapshot> {
    this.#handover.settle(this.#options.nowMs());
    const { serial } = this.#routes;
    const words = await this.#counters.read(this.#slots.span, this.#highestVport + 1);
    return new BpfCounterSnapshot({
      abi: this.#abi,
      routes: this.#routes,
      handover: this.#handover,
      serial,
      routeWords: words.routes,
      faultWords: words.faults,
      vportWords: words.vports,
    });
  }

  resend(punt: Punt, { source, group }: RouteKey): Promise<void> {
    const ingressIfindex = this.#ports.ifindexOf(punt.vport);
    if (ingressIfindex === undefined || this.#closed) return Promise.resolve();
    const recent = this.#recentFlows.lookup(this.#abi.noRouteKey(source, group, punt.vport));
    if (recent !== undefined && this.#abi.readRecent(recent).packets > 0n) return Promise.resolve();
    return this.#resender.runAsync({ data: punt.frame, ingressIfindex }).then(() => undefined);
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

  async #replaceRoutes(): Promise<void> {
    for (const changes of this.#routes.misplaced()) {
      for (const { problem } of this.#routes.apply(changes, this.#options.nowMs())) this.#options.onTrouble(`serve a route by another program: ${problem}`);
      await nextTurn();
    }
  }

  #listen(): void {
    this.#reader = new RingBufferReader(this.#forwarder.object.map('xm_punts'), (records) => {
      const punts = records.map((record) => this.#abi.readPunt(record)).filter((punt) => punt !== undefined);
      if (!this.#closed) this.#options.onPunts(punts);
    });
  }
}

/** Freed counters rest for a second: some more than there are routes. */
function counterSlots(routes: number): number {
  return routes + Math.max(64, routes >> 3);
}

async function openParts(options: BpfDataplaneOptions, pins: PinFolder): Promise<Parts> {
  const { routeLimit, groupLimit, ports: portCount } = options;
  const sizes = { routes: routeLimit, counters: counterSlots(routeLimit), groups: outerEntries(groupLimit, portCount), ranges: RANGE_LIMIT, vlanSlots: VLAN_SLOT_LIMIT };
  const forwarder = await loadForwarder(options.objectPath, sizes, options.policers);
  const { object, abi } = forwarder;
  pinForwarder(forwarder, pins);
  const portMaps = { ports: object.map('xm_ports'), fastPorts: object.map('xm_fast_ports'), vports: object.map('xm_vports'), trunks: object.map('xm_trunks') };
  const ports = new PortTable({ abi, maps: portMaps, xdp: object.program('xm_ingress'), tc: object.program('xm_tc_ingress'), pins });
  const replication = await Replication.create({
    outer: object.map('xm_groups'),
    egress: object.program('xm_egress'),
    limit: groupLimit,
    ports: portCount,
    ifindexOf: (vport) => ports.ifindexOf(vport),
    slotPorts: new SlotPorts(abi, object.map('xm_slot_ports'), ports.vlans),
    onGrowthFailed: options.onTrouble,
    onGrown: () => options.onRoom?.(),
  });
  return { forwarder, pins, ports, replication };
}
