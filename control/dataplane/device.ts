/**
 * The forwarder's programs on one device, and the socket that sends the controller's own frames there. An untagged port and VLANs may
 * share it: they come and go, the programs stay as long as one of them is there. Knows no map.
 */
import { BpfLink, PacketSocket } from '#bindings';
import type { BpfProgram } from '#bindings';
import type { PortAttachment, PortSpec } from './api';
import type { PinFolder } from './pin-folder';
import { isGone, stripsTagsError, tcError, xdpError } from './port-errors';
import { isSamePlan, type PortPlan } from './port-mode';
import { attachTc, pinLink, type Hook } from './tc-hook';
import { VlanOffload } from './vlan-offload';

/** <linux/if_link.h>. Generic XDP shares one buffer among all copies and is slower than the kernel's own forwarder. */
const XDP_FLAGS_DRV_MODE = 4;

export interface DeviceParts {
  readonly xdp: BpfProgram;
  readonly tc: BpfProgram;
  readonly pins: PinFolder;
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

export class Device {
  readonly socket: PacketSocket;
  readonly #parts: DeviceParts;
  readonly #offload: VlanOffload;
  readonly #tc: Hook;
  #wish: DeviceWish;
  #part: XdpPart;

  private constructor(parts: DeviceParts, wish: DeviceWish, attached: XdpPart & { readonly tc: Hook; readonly socket: PacketSocket; readonly offload: VlanOffload }) {
    const { tc, socket, offload, ...part } = attached;
    this.#parts = parts;
    this.#wish = wish;
    this.socket = socket;
    this.#tc = tc;
    this.#offload = offload;
    this.#part = part;
  }

  /** tc first: what XDP leaves to it must not go astray. */
  static async attach(parts: DeviceParts, wish: DeviceWish): Promise<Device> {
    const { ifindex } = wish.spec;
    const socket = new PacketSocket({ ifindex, protocol: 0, allMulticast: true });
    const offload = new VlanOffload(ifindex);
    let tc: Hook | undefined;
    try {
      tc = await attachTcTo(parts, wish.spec);
      if (wish.hasVlans) await offload.receiveEveryVlan();
      return new Device(parts, wish, { socket, offload, tc, ...(await xdpPart(parts, wish, offload, undefined)) });
    } catch (error) {
      socket.close();
      await tc?.detach();
      await offload.restore();
      throw error;
    }
  }

  get attachment(): PortAttachment {
    return this.#part.attachment;
  }

  get hasXdp(): boolean {
    return this.#part.xdp !== undefined;
  }

  /** Returns XDP when it is to go: once nothing relies on it. */
  async follow(wish: DeviceWish): Promise<Hook | undefined> {
    const before = this.#wish;
    if (wish.hasVlans) await this.#offload.receiveEveryVlan();
    // What a driver refuses with one MTU it may take with another.
    const mayDiffer = (this.attachment.isFallback && before.spec.mtu !== wish.spec.mtu) || (wish.hasVlans && !before.hasVlans);
    if (!isSamePlan(wish.plan, before.plan) || mayDiffer) {
      const { xdp } = this.#part;
      this.#part = await xdpPart(this.#parts, wish, this.#offload, xdp);
      this.#wish = wish;
      return xdp === this.#part.xdp ? undefined : xdp;
    }
    this.#wish = wish;
    return undefined;
  }

  async detach(): Promise<void> {
    this.socket.close();
    await this.#part.xdp?.detach();
    await this.#tc.detach();
    await this.#offload.restore();
  }
}

async function attachTcTo({ tc: program, pins }: DeviceParts, spec: PortSpec): Promise<Hook> {
  try {
    return await attachTc({ program, ifindex: spec.ifindex, pins });
  } catch (error) {
    throw tcError(spec, error);
  }
}

async function xdpPart(parts: DeviceParts, wish: DeviceWish, offload: VlanOffload, present: Hook | undefined): Promise<XdpPart> {
  const { mode, reason, mayFallBack } = wish.plan;
  const attachment = { mode, reason, isFallback: false };
  if (mode === 'tc') return { xdp: undefined, attachment };
  try {
    return { xdp: await attachXdp(parts, wish, offload, present), attachment };
  } catch (error) {
    const refusal = xdpError(wish.spec, error);
    if (!mayFallBack || isGone(error)) throw refusal;
    return { xdp: undefined, attachment: { mode: 'tc', reason: refusal.message, isFallback: true } };
  }
}

/** Tags first: a frame of a VLAN must never look like an untagged one. */
async function attachXdp({ xdp: program, pins }: DeviceParts, { spec, hasVlans }: DeviceWish, offload: VlanOffload, present: Hook | undefined): Promise<Hook> {
  const hasTags = await offload.leaveTags();
  if (hasVlans && !hasTags) throw stripsTagsError(spec);
  if (present !== undefined) return present;
  const link = await BpfLink.attachXdp(program, spec.ifindex, XDP_FLAGS_DRV_MODE);
  return pinLink(link, pins.linkPath(String(spec.ifindex)));
}
