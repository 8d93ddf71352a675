/**
 * The ports of the forwarder: which frames of which device are whose, what the programs know of each, and what the controller sends by it.
 * Ports that share a device share its programs. Knows nothing of routes.
 */
import type { BpfMap } from '#bindings';
import { errorCode } from '../errors';
import type { VportId } from '../mrib/route';
import { withTag } from '../protocol/packet/ethernet';
import type { Abi } from './abi';
import type { PortAttachment, PortSpec } from './api';
import { Device, type DeviceParts, type DeviceWish } from './device';
import { u32Key } from './keys';
import { noEthernetError, vlanTakenError } from './port-errors';
import { planDevice } from './port-mode';
import type { Hook } from './tc-hook';

const MAC_BYTES = 6;

export interface PortMaps {
  readonly ports: BpfMap;
  /** The same for untagged ports of low interface indexes, by index. */
  readonly fastPorts: BpfMap;
  readonly vports: BpfMap;
  /** Devices with VLANs. */
  readonly trunks: BpfMap;
}

export interface PortTableParts extends DeviceParts {
  readonly abi: Abi;
  readonly maps: PortMaps;
}

/** inTcMode or vlans has changed. XDP leaves a device only when this has resolved. */
type OnServiceChanged = () => Promise<void>;

export class PortTable {
  readonly #parts: PortTableParts;
  readonly #attached = new Map<VportId, PortSpec>();
  /** By ifindex. */
  readonly #devices = new Map<number, Device>();
  /** By ifindex: what is being done to the device, and to its ports. */
  readonly #turns = new Map<number, Promise<unknown>>();
  readonly #inTcMode = new Set<VportId>();
  readonly #vlans = new Set<VportId>();

  constructor(parts: PortTableParts) {
    this.#parts = parts;
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

  /** `moved`: the port sits on another device or VLAN than before; replication slots must then be written again. */
  async set(spec: PortSpec, onServiceChanged: OnServiceChanged): Promise<{ readonly moved: boolean; readonly attachment: PortAttachment }> {
    if (spec.macAddress.length !== MAC_BYTES) throw noEthernetError(spec);
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
      const wish = wishOf(spec, [...others, spec]);
      // Maps before programs: a program must never run over a port that is not in them.
      this.#describe(spec, this.#devices.get(ifindex)?.hasXdp ?? wish.plan.mode === 'xdp');
      const { device, leaving } = await this.#followDevice(wish);
      this.#attached.set(vport, spec);
      await this.#tellRoutes(spec, onServiceChanged);
      await leaving?.detach();
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

  /** How the ports of a device are served now, after this one was set. */
  async #tellRoutes(spec: PortSpec, onServiceChanged: OnServiceChanged): Promise<void> {
    const { ifindex } = spec;
    const hasXdp = this.#devices.get(ifindex)?.hasXdp === true;
    const changed = this.#portsOn(ifindex).filter(({ vport }) => put(this.#inTcMode, vport, !hasXdp));
    if (changed.length > 0) await onServiceChanged();
    for (const port of new Set([...changed, spec])) this.#describe(port, hasXdp);
  }

  /** The last port of a device takes the programs along. */
  async #leave(spec: PortSpec): Promise<void> {
    const { vport, ifindex } = spec;
    this.#attached.delete(vport);
    this.#forget(spec);
    if (this.#portsOn(ifindex).length > 0) return;
    const device = this.#devices.get(ifindex);
    this.#devices.delete(ifindex);
    this.#parts.maps.trunks.delete(u32Key(ifindex));
    await device?.detach();
  }

  #portsOn(ifindex: number): readonly PortSpec[] {
    return [...this.#attached.values()].filter((spec) => spec.ifindex === ifindex);
  }

  /** From now on these frames are that vport's to the programs. */
  #describe(spec: PortSpec, hasXdp: boolean): void {
    const { abi, maps } = this.#parts;
    const { vport, ifindex, vlan = 0 } = spec;
    const port = abi.port({ ...spec, hasXdp });
    if (vlan !== 0) this.#describeTrunk(ifindex);
    maps.vports.update(u32Key(vport), abi.vport(spec));
    maps.ports.update(abi.portKey(ifindex, vlan), port);
    if (vlan === 0 && ifindex < abi.fastPorts) maps.fastPorts.update(u32Key(ifindex), port);
  }

  /** Once: copies may be counted there. */
  #describeTrunk(ifindex: number): void {
    const { trunks } = this.#parts.maps;
    if (trunks.lookup(u32Key(ifindex)) === undefined) trunks.update(u32Key(ifindex), new Uint8Array(trunks.valueBytes));
  }

  #forget({ ifindex, vlan = 0 }: PortSpec): void {
    const { abi, maps } = this.#parts;
    maps.ports.delete(abi.portKey(ifindex, vlan));
    if (vlan === 0 && ifindex < abi.fastPorts) maps.fastPorts.update(u32Key(ifindex), abi.noPort);
  }
}

function isSameFrames(a: PortSpec, b: PortSpec): boolean {
  return a.ifindex === b.ifindex && (a.vlan ?? 0) === (b.vlan ?? 0);
}

/** `specs`: of all ports of the device. */
function wishOf(spec: PortSpec, specs: readonly PortSpec[]): DeviceWish {
  return { spec, plan: planDevice(specs), hasVlans: specs.some(({ vlan = 0 }) => vlan !== 0) };
}

/** Whether the set is another one for it. */
function put(set: Set<VportId>, vport: VportId, isIn: boolean): boolean {
  if (set.has(vport) === isIn) return false;
  if (isIn) set.add(vport);
  else set.delete(vport);
  return true;
}
