/**
 * The data plane in this process: loads the eBPF object, owns its maps and puts the parts together. The only file that knows which map
 * belongs to which part.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { RingBufferReader } from '#bindings';
import type { BpfMap, BpfProgram } from '#bindings';
import type { RouteChange, RouteKey, VportId } from '../mrib/route';
import { withFinishedChecksum } from '../protocol/packet/udp-checksum';
import type { Abi } from './abi';
import { adopt } from './adopt';
import type {
  DataplaneEvents, DataplaneUsage, InstalledRoute, LocalCounterSnapshot, LocalDataplane, PolicerSettings, PortAttachment, PortSpec, Punt,
  PuntClass, RepairKind, RouteProblem, TakenOver, Verification,
} from './api';
import { CounterSlots } from './counter-slots';
import { BpfCounterSnapshot } from './counter-snapshot';
import { CounterStore } from './counter-store';
import { Handover } from './handover';
import { detachAll } from './detach';
import { GROUP_REST_MS } from './group-pool';
import { loadForwarder, type Forwarder } from './loader';
import { MemberTable } from './member-table';
import { findPredecessor, migrate, type Predecessor } from './migrate';
import { PinFolder } from './pin-folder';
import { PortDevices } from './port-device';
import { writePolicers } from './program-settings';
import { PrefixRoutes } from './prefix-routes';
import { PortTable } from './ports';
import { readInstalled } from './read-installed';
import { outerEntries, Replication } from './replication';
import { Verifier } from './verify';
import { RouteIndex } from './route-index';
import { RouteWords } from './route-words';
import { RouteTable } from './routes';
import { SlotPorts } from './slot-ports';
import { ThresholdTable } from './threshold-table';

export interface BpfDataplaneOptions {
  readonly objectPath: string;
  readonly pinPath: string;
  readonly routeLimit: number;
  /** Distinct outgoing sets at one time. */
  readonly groupLimit: number;
  /** Interfaces there will be: no replication group needs more slots. */
  readonly ports: number;
  readonly policers: Readonly<Record<PuntClass, PolicerSettings>>;
  /** Begin with nothing, whatever a controller before has left. Default false. */
  readonly flush?: boolean;
  readonly onPunts: DataplaneEvents['onPunts'];
  readonly onTrouble: DataplaneEvents['onTrouble'];
  readonly onRoom?: DataplaneEvents['onRoom'];
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

export class BpfDataplane implements LocalDataplane {
  readonly dropReasons: readonly string[];
  readonly repairs = new Map<RepairKind, bigint>();
  readonly link = undefined;
  readonly isBusy = false;
  readonly #options: BpfDataplaneOptions;
  readonly #forwarder: Forwarder;
  readonly #abi: Abi;
  readonly #pins: PinFolder;
  readonly #ports: PortTable;
  readonly #replication: Replication;
  readonly #routes: RouteTable;
  readonly #index: RouteIndex;
  readonly #ranges: PrefixRoutes;
  readonly #slots: CounterSlots;
  readonly #handover: Handover;
  readonly #counters: CounterStore;
  readonly #verifier: Verifier;
  readonly #resender: BpfProgram;
  readonly #recentFlows: BpfMap;
  #policers: BpfDataplaneOptions['policers'];
  #reader: RingBufferReader | undefined;
  /** There were no others, so only these have counted. */
  #highestVport = 0;
  #takenOver: TakenOver | undefined;
  #removal: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(options: BpfDataplaneOptions, { forwarder, pins, ports, replication }: Parts) {
    const { object, abi } = forwarder;
    this.#options = options;
    this.#policers = options.policers;
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
    this.#handover = new Handover(abi, object.map('xm_recent_flows'), object.map('xm_route_moved').words());
    this.#index = new RouteIndex(abi.routeIndex, object.map('xm_route_buckets').words());
    this.#ranges = new PrefixRoutes(abi, { groups: object.map('xm_group_prefixes'), sources: object.map('xm_source_prefixes') });
    const members = new MemberTable(abi, object.map('xm_members'));
    const thresholds = new ThresholdTable(object.map('xm_route_thresholds'));
    const words = new RouteWords(counterSlots(options.routeLimit));
    this.#routes = new RouteTable(abi, {
      map: object.map('xm_routes'),
      index: this.#index,
      thresholds,
      words,
      ranges: this.#ranges,
      groups: replication.pool,
      slots: this.#slots,
      limit: options.routeLimit,
      members,
      tcPorts: ports.inTcMode,
      vlanPorts: ports.vlans,
      onInstalled: (entry) => this.#handover.installed(entry),
      onRemoved: (entry) => this.#handover.removed(entry),
    });
    this.#verifier = new Verifier({
      forwarder,
      pins,
      ports,
      replication,
      routes: this.#routes,
      index: this.#index,
      ranges: this.#ranges,
      members,
      thresholds,
      words,
      policers: () => this.#policers,
      nowMs: options.nowMs,
      isClosed: () => this.#closed,
    });
  }

  /** Rejects with XmcastError: XM_BPFFS, XM_ALREADY_RUNNING, XM_BPF_LOAD. */
  static async open(options: BpfDataplaneOptions): Promise<BpfDataplane> {
    const pins = PinFolder.open(options.pinPath);
    try {
      const predecessor = await predecessorOf(options, pins);
      const dataplane = new BpfDataplane(options, await openParts(options, pins));
      await dataplane.#takeOver(predecessor);
      pins.makeCurrent(dataplane.#forwarder.generation);
      dataplane.#removeOldLater();
      dataplane.#listen();
      return dataplane;
    } catch (error) {
      // What forwards goes on, for another try.
      if (pins.current === undefined) pins.remove();
      else pins.close();
      throw error;
    }
  }

  /** What a controller before this one has left forwarding. */
  get takenOver(): TakenOver | undefined {
    return this.#takenOver;
  }

  get usage(): DataplaneUsage {
    return { routes: this.#routes.size, routeLimit: this.#options.routeLimit, groups: this.#replication.pool.used, groupLimit: this.#replication.pool.limit };
  }

  get maxVport(): VportId {
    return this.#abi.maxVports - 1;
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
    this.#policers = policers;
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

  installedRoute(name: string): InstalledRoute | undefined {
    return this.#routes.entry(name);
  }

  *installedRoutes(): Iterable<InstalledRoute> {
    for (const [, entry] of this.#routes.entries()) yield entry;
  }

  async readCounters(): Promise<LocalCounterSnapshot> {
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
    const later = [this.#abi.noRouteKey(source, group, punt.vport), this.#abi.newSourceKey(source, group, punt.vport)];
    if (later.some((key) => this.#hasSeen(key))) return Promise.resolve();
    const data = withFinishedChecksum(punt.frame);
    return this.#resender.runAsync({ data, ingressIfindex, mark: punt.hostHasIt === true ? 1 : 0 }).then(() => undefined);
  }

  /** Packets that were lost after the one that asked, or that (*,G) has forwarded since. */
  #hasSeen(flowKey: Uint8Array): boolean {
    const recent = this.#recentFlows.lookup(flowKey);
    return recent !== undefined && this.#abi.readRecent(recent).packets > 0n;
  }

  transmit(vport: VportId, frame: Uint8Array): string | undefined {
    return this.#ports.transmit(vport, frame);
  }

  tick(nowMs: number): number | undefined {
    const due = [this.#replication.pool.tick(nowMs), this.#slots.tick(nowMs)].filter((at) => at !== undefined);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  async close({ keep } = { keep: false }): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#reader?.close();
    clearTimeout(this.#removal);
    if (keep) this.#ports.release();
    else await this.#ports.close();
    if (keep) this.#pins.close();
    else this.#pins.remove();
    for (const link of this.#forwarder.observers) link.close();
    this.#forwarder.object.close();
    await this.#replication.close();
  }

  async verify(): Promise<Verification> {
    if (this.#closed) return { repairs: new Map(), problems: [] };
    const found = await this.#verifier.verify();
    for (const [kind, count] of found.repairs) this.repairs.set(kind, (this.repairs.get(kind) ?? 0n) + BigInt(count));
    return found;
  }

  async #takeOver(predecessor: Predecessor | undefined): Promise<void> {
    if (predecessor === undefined) return;
    const { object, abi, installedAbi, isTakeover } = this.#forwarder;
    const common = { ports: this.#ports, replication: this.#replication, routes: this.#routes, slots: this.#slots, nowMs: this.#options.nowMs };
    if (isTakeover) {
      const installed = await readInstalled(installedAbi, (name) => object.map(name));
      this.#takenOver = await adopt(installed, { ...common, index: this.#index, ranges: this.#ranges, handover: this.#handover });
    } else {
      this.#takenOver = await migrate(predecessor, { ...common, abi, moved: object.map('xm_route_moved').words(), onTrouble: this.#options.onTrouble });
    }
    for (const { vport } of this.#takenOver.ports) this.#highestVport = Math.max(this.#highestVport, vport);
  }

  /** A packet may still be on its way through the replication groups of the generation before. */
  #removeOldLater(): void {
    this.#removal = setTimeout(() => this.#pins.removeOthers(), GROUP_REST_MS).unref();
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

/** undefined: it begins with nothing. What cannot be taken over is removed first. */
async function predecessorOf({ flush, onTrouble }: BpfDataplaneOptions, pins: PinFolder): Promise<Predecessor | undefined> {
  const { current } = pins;
  const predecessor = current === undefined || flush === true ? undefined : findPredecessor(current);
  if (predecessor !== undefined) return predecessor;
  if (current !== undefined && flush !== true) onTrouble('take over what was forwarding: its layout is not known to this version, or a pin of it is missing; it is replaced, and everything is learnt anew');
  // Without a generation in use there is nothing but remains.
  await detachAll(pins, onTrouble);
  return undefined;
}

/** Freed counters rest for a second: some more than there are routes. */
function counterSlots(routes: number): number {
  return routes + Math.max(64, routes >> 3);
}

async function openParts(options: BpfDataplaneOptions, pins: PinFolder): Promise<Parts> {
  const { routeLimit, groupLimit, ports: portCount } = options;
  const sizes = { routes: routeLimit, counters: counterSlots(routeLimit), groups: outerEntries(groupLimit, portCount), ranges: RANGE_LIMIT, vlanSlots: VLAN_SLOT_LIMIT };
  const forwarder = await loadForwarder(options.objectPath, sizes, options.policers, pins);
  const { object, abi, installedAbi, generation, isTakeover } = forwarder;
  const ports = new PortTable({
    abi,
    installedAbi,
    maps: {
      ports: object.map('xm_ports'),
      fastPorts: object.map('xm_fast_ports'),
      vports: object.map('xm_vports'),
      trunks: object.map('xm_trunks'),
      records: object.map('xm_port_records'),
    },
    xdp: object.program('xm_ingress'),
    tc: { ingress: object.program('xm_tc_ingress'), egress: object.program('xm_tc_egress') },
    devices: new PortDevices(installedAbi.undoBits, options.onTrouble),
    pins,
  });
  const replication = await Replication.create({
    outer: object.map('xm_groups'),
    pinPath: (index) => generation.groupPath(index),
    present: isTakeover ? generation.openGroups() : [],
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
