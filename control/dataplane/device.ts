/**
 * The forwarder's programs on one device, what the device is told to do for them, and the socket that sends the controller's own frames
 * there. An untagged port and VLANs may share it: they come and go, the programs stay as long as one of them is there. Knows no map.
 */
import { PacketSocket } from '#bindings';
import type { BpfProgram } from '#bindings';
import type { XmcastError } from '../errors';
import type { PortAttachment, PortSpec, RepairKind } from './api';
import { attachXdp, findXdp, type Hook, type HookPlace } from './hook';
import type { PinFolder } from './pin-folder';
import type { DeviceNeeds, PortDevices } from './port-device';
import { isGone, stripsTagsError, xdpError } from './port-errors';
import { isSamePlan, type PortPlan } from './port-mode';
import { TcPrograms, type TcDevice, type TcProgramSet } from './tc-programs';

export interface DeviceParts {
  readonly devices: PortDevices;
  readonly xdp: BpfProgram;
  readonly tc: TcProgramSet;
  readonly pins: PinFolder;
  /** Puts on record with the port what is to be changed back at the end, before it is changed. */
  readonly note: (spec: PortSpec, undo: number) => void;
}

/** What the ports of a device want of it. */
export interface DeviceWish {
  /** One of its ports; the same for all: name, ifindex. */
  readonly spec: PortSpec;
  readonly plan: PortPlan;
  readonly hasVlans: boolean;
}

/** undefined: in tc mode. */
interface XdpPart {
  readonly xdp: Hook | undefined;
  readonly attachment: PortAttachment;
}

interface Attached {
  readonly spec: PortSpec;
  readonly socket: PacketSocket;
  readonly tc: TcPrograms;
  readonly part: XdpPart;
  readonly undo: number;
}

export class Device {
  readonly socket: PacketSocket;
  readonly #parts: DeviceParts;
  readonly #tc: TcPrograms;
  #spec: PortSpec;
  /** undefined: from a controller before this one; what it is to be like is not known yet. */
  #wish: DeviceWish | undefined;
  #part: XdpPart;
  #undo: number;
  /** What the device was told to do things for, when that is over. */
  #settledFor: DeviceNeeds | undefined;

  private constructor(parts: DeviceParts, wish: DeviceWish | undefined, { spec, socket, tc, part, undo }: Attached) {
    this.#parts = parts;
    this.#wish = wish;
    this.#spec = spec;
    this.socket = socket;
    this.#tc = tc;
    this.#part = part;
    this.#undo = undo;
  }

  /** tc first: what XDP leaves to it must not go astray. */
  static async attach(parts: DeviceParts, wish: DeviceWish): Promise<Device> {
    const { spec } = wish;
    const socket = new PacketSocket({ ifindex: spec.ifindex, protocol: 0 });
    let tc: TcPrograms | undefined;
    let undo = 0;
    try {
      tc = await TcPrograms.attach(tcDeviceOf(parts, spec));
      undo = await parts.devices.ensure(spec, needsOf(wish), (bits) => parts.note(spec, bits));
      return new Device(parts, wish, { spec, socket, tc, undo, part: await xdpPart(parts, wish, undefined) });
    } catch (error) {
      socket.close();
      await tc?.detach();
      await parts.devices.giveBack(spec, undo);
      throw error;
    }
  }

  /** As a controller before this one has left it; its programs are replaced later. undefined when they are not there any more. */
  static async adopt(parts: DeviceParts, spec: PortSpec, undo: number): Promise<Device | undefined> {
    const [xdp, tc] = [await findXdp(placeOf(parts, spec, parts.xdp)), await TcPrograms.find(tcDeviceOf(parts, spec))];
    if (tc === undefined) {
      await xdp?.detach();
      await parts.devices.giveBack(spec, undo);
      return undefined;
    }
    const attachment: PortAttachment = { mode: xdp === undefined ? 'tc' : 'xdp', reason: '', isFallback: false };
    return new Device(parts, undefined, { spec, socket: new PacketSocket({ ifindex: spec.ifindex, protocol: 0 }), tc, part: { xdp, attachment }, undo });
  }

  get attachment(): PortAttachment {
    return this.#part.attachment;
  }

  get hasXdp(): boolean {
    return this.#part.xdp !== undefined;
  }

  /** What of it is to be changed back at the end. */
  get undo(): number {
    return this.#undo;
  }

  /** To be changed back too: another port has it on record. */
  owe(undo: number): void {
    this.#undo |= undo;
  }

  /** Rejects when it has just gone, or somebody has detached what was there. */
  async replacePrograms(): Promise<void> {
    // tc first: what XDP leaves to it must not go astray.
    await this.#tc.replace();
    await this.#part.xdp?.replace(this.#parts.xdp);
  }

  /** Returns XDP when it is to go: once nothing relies on it. settle() comes after that. */
  async follow(wish: DeviceWish): Promise<Hook | undefined> {
    const before = this.#wish;
    if (!isSameNeeds(needsOf(wish), this.#settledFor)) this.#undo |= await this.#ensure(wish.spec, needsOf(wish));
    // What a driver refuses with one MTU it may take with another.
    const mayDiffer = before === undefined || (this.attachment.isFallback && before.spec.mtu !== wish.spec.mtu) || (wish.hasVlans && !before.hasVlans);
    const { xdp } = this.#part;
    if (mayDiffer || !isSamePlan(wish.plan, before.plan)) this.#part = await xdpPart(this.#parts, wish, xdp);
    this.#wish = wish;
    this.#spec = wish.spec;
    return xdp === this.#part.xdp ? undefined : xdp;
  }

  /** What the device does only for what is not there any more it need not go on doing. */
  async settle(): Promise<void> {
    const needs = this.#needs;
    if (isSameNeeds(needs, this.#settledFor)) return;
    this.#undo = await this.#parts.devices.prepare(this.#spec, needs, this.#undo, (bits) => this.#parts.note(this.#spec, bits));
    this.#settledFor = needs;
  }

  /** Its last VLAN has left, others use it still. */
  async leaveVlans(): Promise<void> {
    if (this.#wish !== undefined) this.#wish = { ...this.#wish, hasVlans: false };
    await this.settle();
  }

  /** Puts right what somebody else has changed. Rejects with XmcastError when that cannot be. */
  async repair(): Promise<readonly RepairKind[]> {
    const { xdp } = this.#part;
    const kinds: RepairKind[] = [...(await this.#tc.repair())];
    if (xdp !== undefined) kinds.push(...(await repairHook(xdp, (error) => xdpError(this.#spec, error))));
    const changed = await this.#ensure(this.#spec, this.#needs);
    this.#undo |= changed;
    return changed === 0 ? kinds : [...kinds, 'device'];
  }

  async detach(): Promise<void> {
    this.socket.close();
    await this.#part.xdp?.detach();
    await this.#tc.detach();
    await this.#parts.devices.giveBack(this.#spec, this.#undo);
  }

  /** Everything stays attached; this process holds nothing of it any more. */
  release(): void {
    this.socket.close();
    this.#part.xdp?.release();
    this.#tc.release();
  }

  #ensure(spec: PortSpec, needs: DeviceNeeds): Promise<number> {
    const before = this.#undo;
    return this.#parts.devices.ensure(spec, needs, (bits) => this.#parts.note(spec, before | bits));
  }

  get #needs(): DeviceNeeds {
    return { hasXdp: this.hasXdp, hasVlans: this.#wish?.hasVlans === true };
  }
}

function needsOf({ plan, hasVlans }: DeviceWish): DeviceNeeds {
  return { hasXdp: plan.mode === 'xdp', hasVlans };
}

function isSameNeeds(a: DeviceNeeds, b: DeviceNeeds | undefined): boolean {
  return a.hasXdp === b?.hasXdp && a.hasVlans === b.hasVlans;
}

function placeOf({ pins }: DeviceParts, { ifindex }: PortSpec, program: BpfProgram): HookPlace {
  return { program, ifindex, pins };
}

function tcDeviceOf({ tc: programs, pins }: DeviceParts, spec: PortSpec): TcDevice {
  return { spec, programs, pins };
}

async function xdpPart(parts: DeviceParts, wish: DeviceWish, present: Hook | undefined): Promise<XdpPart> {
  const { mode, reason, mayFallBack } = wish.plan;
  const attachment = { mode, reason, isFallback: false };
  if (mode === 'tc') return { xdp: undefined, attachment };
  try {
    return { xdp: await attachXdpTo(parts, wish, present), attachment };
  } catch (error) {
    const refusal = xdpError(wish.spec, error);
    if (!mayFallBack || isGone(error)) throw refusal;
    return { xdp: undefined, attachment: { mode: 'tc', reason: refusal.message, isFallback: true } };
  }
}

/** A frame of a VLAN must never look like an untagged one. */
async function attachXdpTo(parts: DeviceParts, { spec, hasVlans }: DeviceWish, present: Hook | undefined): Promise<Hook> {
  if (hasVlans && (await parts.devices.takesTagsOff(spec))) throw stripsTagsError(spec);
  return present ?? attachXdp(placeOf(parts, spec, parts.xdp));
}

async function repairHook(hook: Hook, refused: (error: unknown) => XmcastError): Promise<readonly RepairKind[]> {
  try {
    const repair = await hook.repair();
    return repair === undefined ? [] : [repair];
  } catch (error) {
    throw refused(error);
  }
}
