/**
 * The interfaces the forwarder sits on: attaching, detaching, what the egress program knows of them, and the socket that sends the
 * controller's own frames. Knows nothing of routes.
 */
import { rmSync } from 'node:fs';
import { BpfLink, PacketSocket, queryXdp } from '#bindings';
import type { BpfMap, BpfProgram } from '#bindings';
import { XmcastError, errorCode, errorText } from '../errors';
import type { VportId } from '../mrib/route';
import type { Abi } from './abi';
import type { PortSpec } from './api';
import { u32Key } from './keys';
import type { PinFolder } from './pin-folder';

/** <linux/if_link.h>. Generic XDP shares one buffer among all copies and is slower than the kernel's own forwarder. */
const XDP_FLAGS_DRV_MODE = 4;

interface AttachedPort {
  readonly spec: PortSpec;
  readonly link: BpfLink;
  readonly socket: PacketSocket;
}

export interface PortMaps {
  readonly ports: BpfMap;
  /** The same for low interface indexes, by index. */
  readonly fastPorts: BpfMap;
  readonly vports: BpfMap;
}

export class PortTable {
  readonly #abi: Abi;
  readonly #maps: PortMaps;
  readonly #program: BpfProgram;
  readonly #pins: PinFolder;
  readonly #attached = new Map<VportId, AttachedPort>();

  constructor(abi: Abi, maps: PortMaps, program: BpfProgram, pins: PinFolder) {
    this.#abi = abi;
    this.#maps = maps;
    this.#program = program;
    this.#pins = pins;
  }

  /** undefined while the port has no device. */
  ifindexOf(vport: VportId): number | undefined {
    return this.#attached.get(vport)?.spec.ifindex;
  }

  get highestVport(): number {
    return Math.max(0, ...this.#attached.keys());
  }

  /** Returns whether the port sits on another device than before: replication slots must then be written again. */
  async set(spec: PortSpec): Promise<boolean> {
    const before = this.#attached.get(spec.vport);
    if (before !== undefined && before.spec.ifindex === spec.ifindex) {
      this.#describe(spec);
      this.#attached.set(spec.vport, { ...before, spec });
      return false;
    }
    await this.remove(spec.vport);
    // Maps before programs: a program must never run over a port that is not in them.
    this.#describe(spec);
    try {
      this.#attached.set(spec.vport, await this.#attach(spec));
    } catch (error) {
      this.#forget(spec.ifindex);
      throw attachError(spec, error);
    }
    return true;
  }

  /** From now on this device is that vport to the programs. */
  #describe(spec: PortSpec): void {
    const { vport, ifindex } = spec;
    this.#maps.vports.update(u32Key(vport), this.#abi.vport(spec));
    this.#maps.ports.update(this.#abi.portKey(ifindex), this.#abi.port(spec));
    if (ifindex < this.#abi.fastPorts) this.#maps.fastPorts.update(u32Key(ifindex), this.#abi.port(spec));
  }

  #forget(ifindex: number): void {
    this.#maps.ports.delete(this.#abi.portKey(ifindex));
    if (ifindex < this.#abi.fastPorts) this.#maps.fastPorts.update(u32Key(ifindex), this.#abi.noPort);
  }

  async #attach(spec: PortSpec): Promise<AttachedPort> {
    const socket = new PacketSocket({ ifindex: spec.ifindex, protocol: 0, allMulticast: true });
    try {
      const link = await BpfLink.attachXdp(this.#program, spec.ifindex, XDP_FLAGS_DRV_MODE);
      link.pin(this.#pins.linkPath(spec.vport));
      return { spec, link, socket };
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  async remove(vport: VportId): Promise<void> {
    const port = this.#attached.get(vport);
    if (port === undefined) return;
    this.#attached.delete(vport);
    port.socket.close();
    this.#forget(port.spec.ifindex);
    rmSync(this.#pins.linkPath(vport), { force: true });
    try {
      await port.link.detach();
    } catch (error) {
      // The device took the link with it (ENOLINK), or is just going.
      if (!['ENOLINK', 'ENODEV', 'EINVAL'].includes(errorCode(error))) throw error;
    } finally {
      port.link.close();
    }
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
}

function attachError(spec: PortSpec, error: unknown): XmcastError {
  const what = `attach XDP to ${spec.name} (native)`;
  switch (errorCode(error)) {
    case 'EBUSY':
    case 'EEXIST':
      return new XmcastError('XM_XDP_BUSY', `${what}: ${errorCode(error)}; program ${programOn(spec.ifindex)} is already there`, {
        hint: `See it with "ip link show dev ${spec.name}"; stop its owner, or remove it with "ip link set dev ${spec.name} xdp off".`,
        cause: error,
      });
    case 'ENODEV':
    case 'ENXIO':
      return new XmcastError('XM_INTERFACE', `${what}: ${errorCode(error)}; the interface has just gone`, {
        hint: 'Nothing to do: it is attached again when it returns.',
        cause: error,
      });
    default:
      return new XmcastError('XM_PORT_UNSUPPORTED', `${what}: ${errorText(error)}; the driver, its MTU or its queues do not allow native XDP`, {
        hint: `Check "ethtool -i ${spec.name}" for a driver with native XDP, an MTU of at most 3400, and that receive offloads (LRO, GRO_HW) are off.`,
        cause: error,
      });
  }
}

function programOn(ifindex: number): string {
  try {
    return String(queryXdp(ifindex).programId);
  } catch {
    // Only makes the message poorer.
    return '(unknown)';
  }
}
