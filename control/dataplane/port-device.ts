/**
 * What ports need of their device beside programs, and what it must not do: every frame let in that may be theirs, also while no controller
 * runs, and XDP given them whole and with their tags. Remembered is only what was changed, and changed back later.
 */
import * as bindings from '#bindings';
import { errorText } from '../errors';
import type { UndoBits } from './installed-abi';

/** By what there is on the device. */
export interface DeviceNeeds {
  readonly hasXdp: boolean;
  readonly hasVlans: boolean;
}

/** Resolves, where it changes something, with whether that was not so before. */
export type DeviceDriver = Pick<typeof bindings, 'queryAllMulticast' | 'queryFeature' | 'queryPromiscuous' | 'setAllMulticast' | 'setFeature' | 'setPromiscuous'>;

interface Change {
  readonly name: string;
  readonly on: boolean;
  readonly bit: number;
  readonly isMade: (ifindex: number) => Promise<boolean>;
  readonly make: (ifindex: number, on: boolean) => Promise<boolean>;
  readonly isNeeded: (needs: DeviceNeeds) => boolean;
}

/** Bits of what is changed, as soon as that is about to be: a controller that ends in between has it on record. */
export type Note = (bits: number) => void;

interface Device {
  readonly name: string;
  readonly ifindex: number;
}

/** Names as ethtool has them. */
const LRO = 'rx-lro';
const GRO_HW = 'rx-gro-hw';
/** A tag that the hardware has taken off is not seen by XDP. */
const VLAN_STRIP = 'rx-vlan-hw-parse';
/** Frames of a VLAN that the kernel has no interface for may not be let in at all. */
const VLAN_FILTER = 'rx-vlan-filter';

export class PortDevices {
  readonly #changes: readonly Change[];
  readonly #onTrouble: (message: string) => void;
  readonly #driver: DeviceDriver;

  constructor(bits: UndoBits, onTrouble: (message: string) => void, driver: DeviceDriver = bindings) {
    const { queryAllMulticast, queryFeature, setAllMulticast, setFeature, setPromiscuous } = driver;
    const off = (name: string, bit: number, isNeeded: Change['isNeeded']): Change => ({
      name,
      on: false,
      bit,
      isNeeded,
      isMade: async (ifindex) => !(await queryFeature(ifindex, name)),
      make: (ifindex, on) => setFeature(ifindex, name, on),
    });
    const [forXdp, forVlans] = [({ hasXdp }: DeviceNeeds) => hasXdp, ({ hasVlans }: DeviceNeeds) => hasVlans];
    this.#changes = [
      { name: 'allmulti', on: true, bit: bits.allMulticast, isNeeded: () => true, isMade: queryAllMulticast, make: setAllMulticast },
      off(LRO, bits.lro, forXdp),
      off(GRO_HW, bits.groHw, forXdp),
      off(VLAN_STRIP, bits.vlanStrip, forXdp),
      off(VLAN_FILTER, bits.vlanFilter, forVlans),
      // Behind the filter, which it is for where that cannot be had.
      { name: 'promisc', on: true, bit: bits.promiscuous, isNeeded: forVlans, isMade: (ifindex) => this.#letsVlansIn(ifindex), make: setPromiscuous },
    ];
    this.#onTrouble = onTrouble;
    this.#driver = driver;
  }

  /** `undo`: what was changed before. Resolves with what is to be changed back at the end. What cannot be had is said, and does no harm. */
  async prepare(device: Device, needs: DeviceNeeds, undo: number, note: Note): Promise<number> {
    let bits = undo;
    for (const change of this.#changes) bits = change.isNeeded(needs) ? await this.#make(device, change, bits, note) : await this.#undo(device, change, bits);
    return bits;
  }

  /** As prepare(), but nothing is changed back. Resolves with the bits of what was not so before. */
  async ensure(device: Device, needs: DeviceNeeds, note: Note): Promise<number> {
    let bits = 0;
    for (const change of this.#changes) if (change.isNeeded(needs)) bits = await this.#make(device, change, bits, note);
    return bits;
  }

  /** Whether it goes on taking tags off, whatever it was told. */
  async takesTagsOff({ ifindex }: Device): Promise<boolean> {
    // A driver that refuses to be asked does as it pleases; a device that is gone shows when the programs are attached.
    return this.#driver.queryFeature(ifindex, VLAN_STRIP).catch(() => true);
  }

  /** The device has no ports any more. */
  async giveBack(device: Device, undo: number): Promise<void> {
    let bits = undo;
    for (const change of this.#changes) bits = await this.#undo(device, change, bits);
  }

  async #make({ ifindex, name }: Device, change: Change, bits: number, note: Note): Promise<number> {
    try {
      if (await change.isMade(ifindex)) return bits;
      note(bits | change.bit);
      if (await change.make(ifindex, change.on)) return bits | change.bit;
    } catch (error) {
      this.#onTrouble(`turn ${change.name} of ${name} ${change.on ? 'on' : 'off'}: ${errorText(error)}`);
    }
    // The driver has it fixed.
    note(bits);
    return bits;
  }

  async #undo({ ifindex }: Device, change: Change, bits: number): Promise<number> {
    if ((bits & change.bit) === 0) return bits;
    // A device that is gone has nothing to be given back.
    await change.make(ifindex, !change.on).catch(() => undefined);
    return bits & ~change.bit;
  }

  /** Promiscuous is needed only where the filter has stayed. */
  async #letsVlansIn(ifindex: number): Promise<boolean> {
    const { queryFeature, queryPromiscuous } = this.#driver;
    return !(await queryFeature(ifindex, VLAN_FILTER)) || queryPromiscuous(ifindex);
  }
}
