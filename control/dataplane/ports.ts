/**
 * The ports of the forwarder: which frames of which device are whose, what the programs and the next controller know of each, and what the
 * controller sends by it. Ports that share a device share its programs. Knows nothing of routes.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BpfMap } from '#bindings';
import { errorCode } from '../errors';
import type { VportId } from '../mrib/route';
import { withTag } from '../protocol/packet/ethernet';
import type { Abi } from './abi';
import type { PortAttachment, PortSpec, RepairKind } from './api';
import { Device, type DeviceParts, type DeviceWish } from './device';
import type { Hook } from './hook';
import type { InstalledAbi, PortRecord } from './installed-abi';
import { u32Key } from './keys';
import { portRefusal, vlanTakenError } from './port-errors';
import { planDevice } from './port-mode';

/** Ports of one device in one piece: less than a millisecond. */
const PIECE = 128;

export interface PortMaps {
  readonly ports: BpfMap;
  /** The same for untagged ports of low interface indexes, by index. */
  readonly fastPorts: BpfMap;
  readonly vports: BpfMap;
  /** Devices with VLANs. */
  readonly trunks: BpfMap;
  /** For the next controller. */
  readonly records: BpfMap;
}

export interface PortTableParts extends Omit<DeviceParts, 'note'> {
  readonly abi: Abi;
  readonly installedAbi: InstalledAbi;
  readonly maps: PortMaps;
}

/** inTcMode or vlans has changed. XDP leaves a device only when this has resolved. */
type OnServiceChanged = () => Promise<void>;

export class PortTable {
  readonly #parts: PortTableParts & DeviceParts;
  readonly #attached = new Map<VportId, PortSpec>();
  /** From a controller before this one: what they are to be like is not known yet. */
  readonly #unclaimed = new Set<VportId>();
  /** By ifindex. */
  readonly #devices = new Map<number, Device>();
  /** By ifindex: what is being done to the device, and to its ports. */
  readonly #turns = new Map<number, Promise<unknown>>();
  readonly #inTcMode = new Set<VportId>();
  readonly #vlans = new Set<VportId>();

  constructor(parts: PortTableParts) {
    this.#parts = { ...parts, note: (spec, undo) => this.#record(spec, undo) };
  }

  /** undefined while the port has no device. */
  ifindexOf(vport: VportId): number | undefined {
    return this.#attached.get(vport)?.ifindex;
  }

  /** Ports that XDP cannot send to. */
  get inTcMode(): ReadonlySet<VportId> {
    return this.#inTcMode;
  }

  /** Ports whose copies leave tagged. One that has no device stays what it was. */
  get vlans(): ReadonlySet<VportId> {
    return this.#vlans;
  }

  /** Ports as they are attached now. */
  attached(): readonly PortSpec[] {
    return [...this.#attached.values()];
  }

  /** Devices that have ports, by ifindex. */
  devices(): readonly number[] {
    return [...this.#devices.keys()];
  }

  /**
   * A port that a controller before this one has left attached: it is taken as it is, the programs of its device are replaced later. False
   * when they are not there any more.
   */
  async adopt({ vport, ifindex, vlan, name, undo }: PortRecord, known: Pick<PortSpec, 'macAddress' | 'mtu' | 'ttlThreshold'>): Promise<boolean> {
    const spec: PortSpec = { vport, name, ifindex, vlan, ...known };
    const device = this.#devices.get(ifindex) ?? (await Device.adopt(this.#parts, spec, undo));
    if (device === undefined) {
      this.#close(spec);
      this.#forget(spec);
      return false;
    }
    device.owe(undo);
    this.#devices.set(ifindex, device);
    this.#attached.set(vport, spec);
    this.#unclaimed.add(vport);
    put(this.#vlans, vport, vlan !== 0);
    put(this.#inTcMode, vport, !device.hasXdp);
    this.#describe(spec, device.hasXdp);
    this.#record(spec, device.undo);
    return true;
  }

  /** Devices that were adopted run the programs of this controller from now on. */
  async replacePrograms(): Promise<void> {
    await Promise.all([...this.#devices].map(([ifindex, device]) => this.#replacePrograms(ifindex, device)));
  }

  async #replacePrograms(ifindex: number, device: Device): Promise<void> {
    try {
      await device.replacePrograms();
    } catch {
      // Its device has just gone, or somebody has detached it: attached anew when the turn of its ports comes.
      for (const { vport } of this.#portsOn(ifindex)) await this.remove(vport);
    }
  }

  /** `moved`: the port sits on another device or VLAN than before; replication slots must then be written again. */
  async set(spec: PortSpec, onServiceChanged: OnServiceChanged): Promise<{ readonly moved: boolean; readonly attachment: PortAttachment }> {
    const refusal = portRefusal(spec);
    if (refusal !== undefined) {
      await this.remove(spec.vport);
      throw refusal;
    }
    const before = this.#attached.get(spec.vport);
    const moved = before === undefined || !isSameFrames(before, spec);
    if (moved) await this.remove(spec.vport);
    const attachment = await this.#inTurn(spec.ifindex, () => this.#settle(spec, onServiceChanged));
    return { moved, attachment };
  }

  async remove(vport: VportId): Promise<void> {
    const spec = this.#attached.get(vport);
    if (spec !== undefined) await this.#inTurn(spec.ifindex, () => this.#leave(spec));
  }

  /**
   * Puts right what somebody else has changed of a device and its ports. Resolves with the kinds of it; rejects with XmcastError when that
   * cannot be.
   */
  repair(ifindex: number): Promise<readonly RepairKind[]> {
    return this.#inTurn(ifindex, () => this.#repair(ifindex));
  }

  /** The errno name when the frame was refused. */
  transmit(vport: VportId, frame: Uint8Array): string | undefined {
    const spec = this.#attached.get(vport);
    const device = spec && this.#devices.get(spec.ifindex);
    if (spec === undefined || device === undefined) return 'ENODEV';
    try {
      device.socket.send(spec.vlan ? withTag(frame, spec.vlan) : frame);
      return undefined;
    } catch (error) {
      return errorCode(error) || 'EIO';
    }
  }

  async close(): Promise<void> {
    for (const vport of [...this.#attached.keys()]) await this.remove(vport);
  }

  /** Everything stays attached; this process holds nothing of it any more. */
  release(): void {
    for (const device of this.#devices.values()) device.release();
    this.#devices.clear();
    this.#attached.clear();
  }

  /** One after the other for each device: its ports are set each for itself. */
  #inTurn<Result>(ifindex: number, work: () => Promise<Result>): Promise<Result> {
    const turn = (this.#turns.get(ifindex) ?? Promise.resolve()).then(work, work);
    this.#turns.set(ifindex, turn);
    const done = (): void => {
      if (this.#turns.get(ifindex) === turn) this.#turns.delete(ifindex);
    };
    void turn.then(done, done);
    return turn;
  }

  async #settle(spec: PortSpec, onServiceChanged: OnServiceChanged): Promise<PortAttachment> {
    const { vport, ifindex, vlan = 0 } = spec;
    const others = this.#portsOn(ifindex).filter((other) => other.vport !== vport);
    if (others.some((other) => isSameFrames(other, spec))) throw vlanTakenError(spec);
    // Before it has a device: no copy for a VLAN may leave by a route that knows of none.
    if (put(this.#vlans, vport, vlan !== 0)) await onServiceChanged();
    try {
      this.#unclaimed.delete(vport);
      const wish = this.#wishOf(spec, [...others, spec]);
      const present = this.#devices.get(ifindex);
      const undo = present?.undo ?? 0;
      // Maps before programs: a program must never run over a port that is not in them.
      this.#describe(spec, present?.hasXdp ?? wish.plan.mode === 'xdp');
      this.#record(spec, undo);
      const { device, leaving } = await this.#followDevice(wish);
      this.#attached.set(vport, spec);
      this.#recordUndo(device, ifindex, undo);
      await this.#tellRoutes(spec, onServiceChanged);
      await leaving?.detach();
      const { undo: owed } = device;
      await device.settle();
      this.#recordUndo(device, ifindex, owed);
      return device.attachment;
    } catch (error) {
      await this.#leave(spec);
      throw error;
    }
  }

  /** `leaving`: XDP, when it is to go. */
  async #followDevice(wish: DeviceWish): Promise<{ readonly device: Device; readonly leaving: Hook | undefined }> {
    const { ifindex } = wish.spec;
    const present = this.#devices.get(ifindex);
    if (present !== undefined) return { device: present, leaving: await present.follow(wish) };
    const device = await Device.attach(this.#parts, wish);
    this.#devices.set(ifindex, device);
    return { device, leaving: undefined };
  }

  /** `specs`: of all ports of the device. */
  #wishOf(spec: PortSpec, specs: readonly PortSpec[]): DeviceWish {
    const plan = planDevice(specs.filter(({ vport }) => !this.#unclaimed.has(vport)));
    return { spec, plan, hasVlans: specs.some(({ vlan = 0 }) => vlan !== 0) };
  }

  /** How the ports of a device are served now, after this one was set. */
  async #tellRoutes(spec: PortSpec, onServiceChanged: OnServiceChanged): Promise<void> {
    const { ifindex } = spec;
    const hasXdp = this.#devices.get(ifindex)?.hasXdp === true;
    const changed = this.#portsOn(ifindex).filter(({ vport }) => put(this.#inTcMode, vport, !hasXdp));
    if (changed.length > 0) await onServiceChanged();
    for (const port of new Set([...changed, spec])) this.#describe(port, hasXdp);
  }

  async #repair(ifindex: number): Promise<readonly RepairKind[]> {
    const device = this.#devices.get(ifindex);
    if (device === undefined) return [];
    const kinds: RepairKind[] = [];
    const { undo } = device;
    for (const [i, port] of this.#portsOn(ifindex).entries()) {
      if (this.#describe(port, device.hasXdp)) kinds.push('port');
      if (this.#record(port, undo)) kinds.push('port');
      if (i % PIECE === PIECE - 1) await nextTurn();
    }
    kinds.push(...(await device.repair()));
    this.#recordUndo(device, ifindex, undo);
    return kinds;
  }

  /** The last port of a device takes the programs along. */
  async #leave(spec: PortSpec): Promise<void> {
    const { vport, ifindex } = spec;
    this.#attached.delete(vport);
    this.#unclaimed.delete(vport);
    this.#close(spec);
    const others = this.#portsOn(ifindex);
    if (others.length > 0) await this.#relieve(ifindex, others);
    else await this.#detach(ifindex);
    // Last: what has not been changed back is for the next controller to change back.
    this.#forget(spec);
  }

  async #detach(ifindex: number): Promise<void> {
    const device = this.#devices.get(ifindex);
    this.#devices.delete(ifindex);
    this.#parts.maps.trunks.delete(u32Key(ifindex));
    await device?.detach();
  }

  /** What the device did for VLANs it need not go on doing when the last one has left. */
  async #relieve(ifindex: number, ports: readonly PortSpec[]): Promise<void> {
    const device = this.#devices.get(ifindex);
    if (device === undefined || ports.some(({ vlan = 0 }) => vlan !== 0)) return;
    this.#parts.maps.trunks.delete(u32Key(ifindex));
    const { undo } = device;
    await device.leaveVlans();
    this.#recordUndo(device, ifindex, undo);
  }

  #portsOn(ifindex: number): readonly PortSpec[] {
    return [...this.#attached.values()].filter((spec) => spec.ifindex === ifindex);
  }

  /** From now on these frames are that vport's to the programs. Returns whether it was not so before. */
  #describe(spec: PortSpec, hasXdp: boolean): boolean {
    const { abi, maps } = this.#parts;
    const { vport, ifindex, vlan = 0 } = spec;
    const port = abi.port({ ...spec, hasXdp });
    const changes = [vlan !== 0 && this.#describeTrunk(ifindex)];
    changes.push(write(maps.vports, u32Key(vport), abi.vport(spec)), write(maps.ports, abi.portKey(ifindex, vlan), port));
    if (vlan === 0 && ifindex < abi.fastPorts) changes.push(write(maps.fastPorts, u32Key(ifindex), port));
    return changes.includes(true);
  }

  /** Once: copies may be counted there. */
  #describeTrunk(ifindex: number): boolean {
    const { trunks } = this.#parts.maps;
    if (trunks.lookup(u32Key(ifindex)) !== undefined) return false;
    trunks.update(u32Key(ifindex), new Uint8Array(trunks.valueBytes));
    return true;
  }

  /** For the next controller: whose number this is, and what it has to change back. Returns whether that was not known before. */
  #record({ vport, ifindex, vlan = 0, name }: Pick<PortSpec, 'vport' | 'ifindex' | 'vlan' | 'name'>, undo: number): boolean {
    const { installedAbi, maps } = this.#parts;
    return write(maps.records, u32Key(vport), installedAbi.portRecord({ ifindex, vlan, name, undo }));
  }

  /** With every port of the device, whichever goes last. `before`: what they have on record. */
  #recordUndo({ undo }: Device, ifindex: number, before: number): void {
    if (undo === before) return;
    for (const port of this.#portsOn(ifindex)) this.#record(port, undo);
  }

  #forget({ vport }: PortSpec): void {
    this.#record({ vport, ifindex: 0, name: '' }, 0);
  }

  /** From now on these frames are nobody's to the programs. */
  #close({ ifindex, vlan = 0 }: PortSpec): void {
    const { abi, maps } = this.#parts;
    maps.ports.delete(abi.portKey(ifindex, vlan));
    if (vlan === 0 && ifindex < abi.fastPorts) maps.fastPorts.update(u32Key(ifindex), abi.noPort);
  }
}

function isSameFrames(a: PortSpec, b: PortSpec): boolean {
  return a.ifindex === b.ifindex && (a.vlan ?? 0) === (b.vlan ?? 0);
}

/** Whether the set is another one for it. */
function put(set: Set<VportId>, vport: VportId, isIn: boolean): boolean {
  if (set.has(vport) === isIn) return false;
  if (isIn) set.add(vport);
  else set.delete(vport);
  return true;
}

/** What is not so already. Returns whether it was not. */
function write(map: BpfMap, key: Uint8Array, value: Uint8Array): boolean {
  const found = map.lookup(key);
  if (found !== undefined && Buffer.compare(found, value) === 0) return false;
  map.update(key, value);
  return true;
}
