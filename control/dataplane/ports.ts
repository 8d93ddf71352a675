/**
 * The interfaces the forwarder sits on: attaching its programs and detaching them, what they know of each port, and the socket that sends
 * the controller's own frames. Knows nothing of routes.
 */
import { PacketSocket } from '#bindings';
import type { BpfMap, BpfProgram } from '#bindings';
import { errorCode, type XmcastError } from '../errors';
import type { VportId } from '../mrib/route';
import type { Abi } from './abi';
import type { PortAttachment, PortSpec, RepairKind } from './api';
import { attachTc, attachXdp, findTc, findXdp, type Hook, type HookPlace } from './hook';
import type { InstalledAbi, PortRecord } from './installed-abi';
import { u32Key } from './keys';
import type { PinFolder } from './pin-folder';
import { isGone, noEthernetError, tcError, xdpError } from './port-errors';
import type { PortDevices } from './port-device';
import { isSamePlan, planPort, type PortPlan } from './port-mode';

const MAC_BYTES = 6;

/** undefined: in tc mode. */
interface XdpPart {
  readonly xdp: Hook | undefined;
  readonly attachment: PortAttachment;
}

interface AttachedPort extends XdpPart {
  readonly spec: PortSpec;
  readonly tc: Hook;
  readonly socket: PacketSocket;
  /** What of the device is to be changed back. */
  readonly undo: number;
  /** From a controller before this one: what it is to be like is not known yet. */
  readonly isAdopted: boolean;
}

export interface PortMaps {
  readonly ports: BpfMap;
  /** The same for low interface indexes, by index. */
  readonly fastPorts: BpfMap;
  readonly vports: BpfMap;
  /** For the next controller. */
  readonly records: BpfMap;
}

export interface PortTableParts {
  readonly abi: Abi;
  readonly installedAbi: InstalledAbi;
  readonly maps: PortMaps;
  readonly devices: PortDevices;
  readonly xdp: BpfProgram;
  readonly tc: BpfProgram;
  readonly pins: PinFolder;
}

/** inTcMode has changed. XDP leaves a port only when this has resolved. */
type OnModeChanged = () => Promise<void>;

export class PortTable {
  readonly #parts: PortTableParts;
  readonly #attached = new Map<VportId, AttachedPort>();
  readonly #inTcMode = new Set<VportId>();
  /** What is under way of a port: one thing at a time. */
  readonly #turns = new Map<VportId, Promise<unknown>>();

  constructor(parts: PortTableParts) {
    this.#parts = parts;
  }

  /** undefined while the port has no device. */
  ifindexOf(vport: VportId): number | undefined {
    return this.#attached.get(vport)?.spec.ifindex;
  }

  /** Ports that XDP cannot send to. */
  get inTcMode(): ReadonlySet<VportId> {
    return this.#inTcMode;
  }

  /** Ports as they are attached now, by vport. */
  attached(): readonly PortSpec[] {
    return [...this.#attached.values()].map(({ spec }) => spec);
  }

  /**
   * A port that a controller before this one has left attached: it is taken as it is, its programs are replaced later. False when it is
   * not there any more.
   */
  async adopt(record: PortRecord, known: Pick<PortSpec, 'macAddress' | 'mtu' | 'ttlThreshold'>): Promise<boolean> {
    const { vport, ifindex, name, undo } = record;
    const spec: PortSpec = { vport, name, ifindex, ...known };
    const [xdp, tc] = [await findXdp(this.#place(spec, this.#parts.xdp)), await findTc(this.#place(spec, this.#parts.tc))];
    if (tc === undefined) {
      await xdp?.detach();
      await this.#parts.devices.giveBack(spec, undo);
      this.#forget(spec);
      return false;
    }
    const attachment: PortAttachment = { mode: xdp === undefined ? 'tc' : 'xdp', reason: '', isFallback: false };
    const socket = new PacketSocket({ ifindex, protocol: 0 });
    this.#attached.set(vport, { spec, xdp, tc, socket, attachment, undo, isAdopted: true });
    if (xdp === undefined) this.#inTcMode.add(vport);
    this.#describe(spec, xdp !== undefined);
    this.#record(spec, undo);
    return true;
  }

  /** Ports that were adopted run the programs of this controller from now on. */
  async replacePrograms(): Promise<void> {
    await Promise.all([...this.#attached.values()].map((port) => this.#replacePrograms(port)));
  }

  async #replacePrograms({ spec, tc, xdp }: AttachedPort): Promise<void> {
    try {
      // tc first: what XDP leaves to it must not go astray.
      await tc.replace(this.#parts.tc);
      await xdp?.replace(this.#parts.xdp);
    } catch {
      // Its device has just gone, or somebody has detached it: attached anew when its turn comes.
      await this.remove(spec.vport);
    }
  }

  /** `moved`: the port sits on another device than before; replication slots must then be written again. */
  set(spec: PortSpec, onModeChanged: OnModeChanged): Promise<{ readonly moved: boolean; readonly attachment: PortAttachment }> {
    return this.#inTurn(spec.vport, () => this.#set(spec, onModeChanged));
  }

  remove(vport: VportId): Promise<void> {
    return this.#inTurn(vport, () => this.#remove(vport));
  }

  /** Puts right what somebody else has changed of a port. Resolves with the kinds of it; rejects with XmcastError when that cannot be. */
  repair(vport: VportId): Promise<readonly RepairKind[]> {
    return this.#inTurn(vport, () => this.#repair(vport));
  }

  async #inTurn<Result>(vport: VportId, work: () => Promise<Result>): Promise<Result> {
    const before = this.#turns.get(vport);
    // What became of it is told to who asked for it.
    const turn = (before ?? Promise.resolve()).catch(() => undefined).then(work);
    this.#turns.set(vport, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(vport) === turn) this.#turns.delete(vport);
    }
  }

  async #repair(vport: VportId): Promise<readonly RepairKind[]> {
    const port = this.#attached.get(vport);
    if (port === undefined) return [];
    const { spec, tc, xdp } = port;
    const kinds: RepairKind[] = this.#describe(spec, xdp !== undefined) ? ['port'] : [];
    if (this.#record(spec, port.undo)) kinds.push('port');
    kinds.push(...(await repairHook(tc, (error) => tcError(spec, error))));
    if (xdp !== undefined) kinds.push(...(await repairHook(xdp, (error) => xdpError(spec, error))));
    return (await this.#repairDevice(port)) ? [...kinds, 'device'] : kinds;
  }

  async #repairDevice({ spec, xdp, undo }: AttachedPort): Promise<boolean> {
    const changed = await this.#parts.devices.ensure(spec, xdp !== undefined);
    if (changed === 0) return false;
    const port = this.#attached.get(spec.vport);
    if (port !== undefined) this.#attached.set(spec.vport, { ...port, undo: undo | changed });
    this.#record(spec, undo | changed);
    return true;
  }

  async #set(spec: PortSpec, onModeChanged: OnModeChanged): Promise<{ readonly moved: boolean; readonly attachment: PortAttachment }> {
    if (spec.macAddress.length !== MAC_BYTES) throw noEthernetError(spec);
    const before = this.#attached.get(spec.vport);
    if (before?.spec.ifindex === spec.ifindex) return { moved: false, attachment: await this.#follow(before, spec, onModeChanged) };
    await this.#remove(spec.vport);
    return { moved: true, attachment: await this.#take(spec, onModeChanged) };
  }

  async #remove(vport: VportId): Promise<void> {
    const port = this.#attached.get(vport);
    if (port === undefined) return;
    this.#attached.delete(vport);
    port.socket.close();
    this.#forget(port.spec);
    await port.xdp?.detach();
    await port.tc.detach();
    await this.#parts.devices.giveBack(port.spec, port.undo);
  }

  /** The errno name when the frame was refused. */
  transmit(vport: VportId, frame: Uint8Array): string | undefined {
    const port = this.#attached.get(vport);
    if (port === undefined) return 'ENODEV';
    try {
      port.socket.send(frame);
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
    for (const { socket, xdp, tc } of this.#attached.values()) {
      socket.close();
      xdp?.release();
      tc.release();
    }
    this.#attached.clear();
  }

  async #take(spec: PortSpec, onModeChanged: OnModeChanged): Promise<PortAttachment> {
    const plan = planPort(spec);
    // Maps before programs: a program must never run over a port that is not in them.
    this.#describe(spec, plan.mode === 'xdp');
    this.#record(spec, 0);
    try {
      const port = await this.#attach(spec, plan);
      this.#attached.set(spec.vport, port);
      await this.#settle(port, onModeChanged);
      return port.attachment;
    } catch (error) {
      if (this.#attached.has(spec.vport)) await this.#remove(spec.vport);
      else this.#forget(spec);
      throw error;
    }
  }

  /** The port stays on its device. */
  async #follow(before: AttachedPort, spec: PortSpec, onModeChanged: OnModeChanged): Promise<PortAttachment> {
    const plan = planPort(spec);
    this.#describe(spec, before.xdp !== undefined);
    this.#attached.set(spec.vport, { ...before, spec });
    // What a driver refuses with one MTU it may take with another.
    const mayDiffer = before.attachment.isFallback && before.spec.mtu !== spec.mtu;
    if (isSamePlan(plan, planPort(before.spec)) && !mayDiffer && !before.isAdopted) return before.attachment;
    try {
      const port = { ...before, spec, isAdopted: false, ...(await this.#xdpPart(spec, plan, before.xdp)) };
      this.#attached.set(spec.vport, port);
      await this.#settle(port, onModeChanged);
      if (before.xdp !== port.xdp) await before.xdp?.detach();
      return port.attachment;
    } catch (error) {
      await this.#remove(spec.vport);
      throw error;
    }
  }

  /** tc first: what XDP leaves to it must not go astray. */
  async #attach(spec: PortSpec, plan: PortPlan): Promise<AttachedPort> {
    const socket = new PacketSocket({ ifindex: spec.ifindex, protocol: 0 });
    let tc: Hook | undefined;
    try {
      tc = await this.#attachTc(spec);
      return { spec, socket, tc, undo: 0, isAdopted: false, ...(await this.#xdpPart(spec, plan, undefined)) };
    } catch (error) {
      socket.close();
      await tc?.detach();
      throw error;
    }
  }

  async #attachTc(spec: PortSpec): Promise<Hook> {
    try {
      return await attachTc(this.#place(spec, this.#parts.tc));
    } catch (error) {
      throw tcError(spec, error);
    }
  }

  async #xdpPart(spec: PortSpec, { mode, reason, mayFallBack }: PortPlan, present: Hook | undefined): Promise<XdpPart> {
    const attachment = { mode, reason, isFallback: false };
    if (mode === 'tc') return { xdp: undefined, attachment };
    if (present !== undefined) return { xdp: present, attachment };
    try {
      return { xdp: await attachXdp(this.#place(spec, this.#parts.xdp)), attachment };
    } catch (error) {
      const refusal = xdpError(spec, error);
      if (!mayFallBack || isGone(error)) throw refusal;
      return { xdp: undefined, attachment: { mode: 'tc', reason: refusal.message, isFallback: true } };
    }
  }

  #place({ ifindex, vport }: PortSpec, program: BpfProgram): HookPlace {
    return { program, ifindex, vport, pins: this.#parts.pins };
  }

  /** The programs, the routes and the device know how the port is served now. */
  async #settle(port: AttachedPort, onModeChanged: OnModeChanged): Promise<void> {
    const { spec, xdp } = port;
    const { vport } = spec;
    const undo = await this.#parts.devices.prepare(spec, xdp !== undefined, port.undo);
    this.#attached.set(vport, { ...port, undo });
    this.#record(spec, undo);
    const wasTc = this.#inTcMode.has(vport);
    if (xdp === undefined) this.#inTcMode.add(vport);
    else this.#inTcMode.delete(vport);
    if (wasTc !== this.#inTcMode.has(vport)) await onModeChanged();
    this.#describe(spec, xdp !== undefined);
  }

  /** From now on this device is that vport to the programs. Returns whether it was not so before. */
  #describe(spec: PortSpec, hasXdp: boolean): boolean {
    const { abi, maps } = this.#parts;
    const { vport, ifindex } = spec;
    const port = abi.port({ ...spec, hasXdp });
    const changes = [put(maps.vports, u32Key(vport), abi.vport(spec)), put(maps.ports, abi.portKey(ifindex), port)];
    if (ifindex < abi.fastPorts) changes.push(put(maps.fastPorts, u32Key(ifindex), port));
    return changes.includes(true);
  }

  /** For the next controller: whose number this is, and what it has to change back. */
  #record({ vport, ifindex, name }: Pick<PortSpec, 'vport' | 'ifindex' | 'name'>, undo: number): boolean {
    const { installedAbi, maps } = this.#parts;
    return put(maps.records, u32Key(vport), installedAbi.portRecord({ ifindex, name, undo }));
  }

  #forget({ vport, ifindex }: PortSpec): void {
    const { abi, maps } = this.#parts;
    this.#record({ vport, ifindex: 0, name: '' }, 0);
    maps.ports.delete(abi.portKey(ifindex));
    if (ifindex < abi.fastPorts) maps.fastPorts.update(u32Key(ifindex), abi.noPort);
  }
}

/** Writes what is not so already. Returns whether it was not. */
function put(map: BpfMap, key: Uint8Array, value: Uint8Array): boolean {
  const found = map.lookup(key);
  if (found !== undefined && Buffer.compare(found, value) === 0) return false;
  map.update(key, value);
  return true;
}

async function repairHook(hook: Hook, refused: (error: unknown) => XmcastError): Promise<readonly RepairKind[]> {
  try {
    const repair = await hook.repair();
    return repair === undefined ? [] : [repair];
  } catch (error) {
    throw refused(error);
  }
}
