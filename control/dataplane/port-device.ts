/**
 * What a port needs of its device beside programs, and what it must not have: every multicast frame let in, also while no controller
 * runs, and no receive offload that makes frames XDP does not get whole. Remembered is only what was changed, and changed back later.
 */
import { setAllMulticast, setFeature } from '#bindings';
import { errorText } from '../errors';
import type { UndoBits } from './installed-abi';

interface Change {
  readonly name: string;
  readonly on: boolean;
  readonly bit: number;
  readonly make: (ifindex: number, on: boolean) => Promise<boolean>;
}

interface Device {
  readonly name: string;
  readonly ifindex: number;
}

/** Names as ethtool has them. */
const LRO = 'rx-lro';
const GRO_HW = 'rx-gro-hw';

export class PortDevices {
  readonly #always: readonly Change[];
  readonly #forXdp: readonly Change[];
  readonly #onTrouble: (message: string) => void;

  constructor(bits: UndoBits, onTrouble: (message: string) => void) {
    const off = (name: string, bit: number): Change => ({ name, on: false, bit, make: (ifindex, on) => setFeature(ifindex, name, on) });
    this.#always = [{ name: 'allmulti', on: true, bit: bits.allMulticast, make: setAllMulticast }];
    this.#forXdp = [off(LRO, bits.lro), off(GRO_HW, bits.groHw)];
    this.#onTrouble = onTrouble;
  }

  /** `undo`: what was changed before. Resolves with what is to be changed back at the end. What cannot be had is said, and does no harm. */
  async prepare(device: Device, hasXdp: boolean, undo: number): Promise<number> {
    let bits = undo;
    for (const change of this.#always) bits = await this.#make(device, change, bits);
    for (const change of this.#forXdp) bits = hasXdp ? await this.#make(device, change, bits) : await this.#undo(device, change, bits);
    return bits;
  }

  /** As prepare(), of a device that was prepared before. Resolves with the bits of what somebody had changed since. */
  async ensure(device: Device, hasXdp: boolean): Promise<number> {
    let bits = 0;
    for (const change of hasXdp ? [...this.#always, ...this.#forXdp] : this.#always) bits = await this.#make(device, change, bits);
    return bits;
  }

  /** The device is no port any more. */
  async giveBack(device: Device, undo: number): Promise<void> {
    let bits = undo;
    for (const change of [...this.#always, ...this.#forXdp]) bits = await this.#undo(device, change, bits);
  }

  async #make({ ifindex, name }: Device, change: Change, bits: number): Promise<number> {
    try {
      return (await change.make(ifindex, change.on)) ? bits | change.bit : bits;
    } catch (error) {
      this.#onTrouble(`turn ${change.name} of ${name} ${change.on ? 'on' : 'off'}: ${errorText(error)}`);
      return bits;
    }
  }

  async #undo({ ifindex }: Device, change: Change, bits: number): Promise<number> {
    if ((bits & change.bit) === 0) return bits;
    // A device that is gone has nothing to be given back.
    await change.make(ifindex, !change.on).catch(() => undefined);
    return bits & ~change.bit;
  }
}
