/**
 * The interfaces the forwarder sits on: attaching its programs and detaching them, what they know of each port, and the socket that sends
 * the controller's own frames. Knows nothing of routes.
 */
import { BpfLink, PacketSocket } from '#bindings';
import type { BpfMap, BpfProgram } from '#bindings';
import { errorCode } from '../errors';
import type { VportId } from '../mrib/route';
import type { Abi } from './abi';
import type { PortAttachment, PortSpec } from './api';
import { u32Key } from './keys';
import type { PinFolder } from './pin-folder';
import { isGone, noEthernetError, tcError, xdpError } from './port-errors';
import { isSamePlan, planPort, type PortPlan } from './port-mode';
import { attachTc, pinLink, type Hook } from './tc-hook';

/** <linux/if_link.h>. Generic XDP shares one buffer among all copies and is slower than the kernel's own forwarder. */
const XDP_FLAGS_DRV_MODE = 4;
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
}

export interface PortMaps {
  readonly ports: BpfMap;
  /** The same for low interface indexes, by index. */
  readonly fastPorts: BpfMap;
  readonly vports: BpfMap;
}

export interface PortTableParts {
  readonly abi: Abi;
  readonly maps: PortMaps;
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

  /** `moved`: the port sits on another device than before; replication slots must then be written again. */
  async set(spec: PortSpec, onModeChanged: OnModeChanged): Promise<{ readonly moved: boolean; readonly attachment: PortAttachment }> {
    if (spec.macAddress.length !== MAC_BYTES) throw noEthernetError(spec);
    const before = this.#attached.get(spec.vport);
    if (before?.spec.ifindex === spec.ifindex) return { moved: false, attachment: await this.#follow(before, spec, onModeChanged) };
    await this.remove(spec.vport);
    return { moved: true, attachment: await this.#take(spec, onModeChanged) };
  }

  async remove(vport: VportId): Promise<void> {
    const port = this.#attached.get(vport);
    if (port === undefined) return;
    this.#attached.delete(vport);
    port.socket.close();
    this.#forget(port.spec.ifindex);
    await port.xdp?.detach();
    await port.tc.detach();
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

  async #take(spec: PortSpec, onModeChanged: OnModeChanged): Promise<PortAttachment> {
    const plan = planPort(spec);
    // Maps before programs: a program must never run over a port that is not in them.
    this.#describe(spec, plan.mode === 'xdp');
    try {
      const port = await this.#attach(spec, plan);
      this.#attached.set(spec.vport, port);
      await this.#settle(port, onModeChanged);
      return port.attachment;
    } catch (error) {
      this.#forget(spec.ifindex);
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
    if (isSamePlan(plan, planPort(before.spec)) && !mayDiffer) return before.attachment;
    try {
      const port = { ...before, spec, ...(await this.#xdpPart(spec, plan, before.xdp)) };
      this.#attached.set(spec.vport, port);
      await this.#settle(port, onModeChanged);
      if (before.xdp !== port.xdp) await before.xdp?.detach();
      return port.attachment;
    } catch (error) {
      await this.remove(spec.vport);
      throw error;
    }
  }

  /** tc first: what XDP leaves to it must not go astray. */
  async #attach(spec: PortSpec, plan: PortPlan): Promise<AttachedPort> {
    const socket = new PacketSocket({ ifindex: spec.ifindex, protocol: 0, allMulticast: true });
    let tc: Hook | undefined;
    try {
      tc = await this.#attachTc(spec);
      return { spec, socket, tc, ...(await this.#xdpPart(spec, plan, undefined)) };
    } catch (error) {
      socket.close();
      await tc?.detach();
      throw error;
    }
  }

  async #attachTc(spec: PortSpec): Promise<Hook> {
    const { tc: program, pins } = this.#parts;
    try {
      return await attachTc({ program, ifindex: spec.ifindex, vport: spec.vport, pins });
    } catch (error) {
      throw tcError(spec, error);
    }
  }

  async #xdpPart(spec: PortSpec, { mode, reason, mayFallBack }: PortPlan, present: Hook | undefined): Promise<XdpPart> {
    const attachment = { mode, reason, isFallback: false };
    if (mode === 'tc') return { xdp: undefined, attachment };
    if (present !== undefined) return { xdp: present, attachment };
    const { xdp: program, pins } = this.#parts;
    try {
      const link = await BpfLink.attachXdp(program, spec.ifindex, XDP_FLAGS_DRV_MODE);
      return { xdp: pinLink(link, pins.linkPath(String(spec.vport))), attachment };
    } catch (error) {
      const refusal = xdpError(spec, error);
      if (!mayFallBack || isGone(error)) throw refusal;
      return { xdp: undefined, attachment: { mode: 'tc', reason: refusal.message, isFallback: true } };
    }
  }

  /** The programs and the routes know how the port is served now. */
  async #settle({ spec, xdp }: AttachedPort, onModeChanged: OnModeChanged): Promise<void> {
    const { vport } = spec;
    const wasTc = this.#inTcMode.has(vport);
    if (xdp === undefined) this.#inTcMode.add(vport);
    else this.#inTcMode.delete(vport);
    if (wasTc !== this.#inTcMode.has(vport)) await onModeChanged();
    this.#describe(spec, xdp !== undefined);
  }

  /** From now on this device is that vport to the programs. */
  #describe(spec: PortSpec, hasXdp: boolean): void {
    const { abi, maps } = this.#parts;
    const { vport, ifindex } = spec;
    const port = abi.port({ ...spec, hasXdp });
    maps.vports.update(u32Key(vport), abi.vport(spec));
    maps.ports.update(abi.portKey(ifindex), port);
    if (ifindex < abi.fastPorts) maps.fastPorts.update(u32Key(ifindex), port);
  }

  #forget(ifindex: number): void {
    const { abi, maps } = this.#parts;
    maps.ports.delete(abi.portKey(ifindex));
    if (ifindex < abi.fastPorts) maps.fastPorts.update(u32Key(ifindex), abi.noPort);
  }
}
