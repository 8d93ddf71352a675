/**
 * What a device does with VLAN tags before anybody sees the frame: told not to, and told again to when the forwarder leaves. A tag that
 * the hardware has taken off is not seen by XDP, and frames of a VLAN that the kernel has no interface for may not be received at all.
 */
import { deviceFeature, PacketSocket, setDeviceFeature } from '#bindings';

/** As ethtool's rx-vlan-offload and rx-vlan-filter. */
const STRIPS = 'rx-vlan-hw-parse';
const FILTERS = 'rx-vlan-filter';

export class VlanOffload {
  readonly #ifindex: number;
  readonly #switchedOff = new Set<string>();
  /** Who cannot be told to receive every VLAN may be told to receive every frame. */
  #everyFrame: PacketSocket | undefined;

  constructor(ifindex: number) {
    this.#ifindex = ifindex;
  }

  /** false: the device goes on taking tags off. */
  leaveTags(): Promise<boolean> {
    return this.#switchOff(STRIPS);
  }

  async receiveEveryVlan(): Promise<void> {
    if (this.#everyFrame !== undefined || (await this.#switchOff(FILTERS))) return;
    this.#everyFrame = new PacketSocket({ ifindex: this.#ifindex, protocol: 0, promiscuous: true });
  }

  async restore(): Promise<void> {
    this.#everyFrame?.close();
    this.#everyFrame = undefined;
    for (const feature of this.#switchedOff) {
      this.#switchedOff.delete(feature);
      // The device may be gone, and its features with it.
      await setDeviceFeature(this.#ifindex, feature, true).catch(() => undefined);
    }
  }

  /** Whether it is off. */
  async #switchOff(feature: string): Promise<boolean> {
    try {
      if (!(await this.#isOn(feature))) return true;
      await setDeviceFeature(this.#ifindex, feature, false);
      if (await this.#isOn(feature)) return false;
      this.#switchedOff.add(feature);
      return true;
    } catch {
      // A driver that refuses to be asked does as it pleases; a device that is gone shows when the programs are attached.
      return false;
    }
  }

  async #isOn(feature: string): Promise<boolean> {
    return (await deviceFeature(this.#ifindex, feature))?.active === true;
  }
}
