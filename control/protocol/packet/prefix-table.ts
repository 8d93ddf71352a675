/**
 * IPv4 prefixes with a value each; finds the longest that contains an address, in one look for each length there is.
 */
import { prefixMask, type Ipv4, type Ipv4Prefix } from './address';

export class PrefixTable<Value> {
  /** Longest first. */
  #lengths: { readonly length: number; readonly mask: number; readonly values: Map<Ipv4, Value> }[] = [];

  /** Host bits of the prefix do not matter. A prefix that is there already gets the new value. */
  set({ address, length }: Ipv4Prefix, value: Value): void {
    const mask = prefixMask(length);
    let found = this.#lengths.find((one) => one.length === length);
    if (found === undefined) {
      found = { length, mask, values: new Map() };
      this.#lengths = [...this.#lengths, found].sort((a, b) => b.length - a.length);
    }
    found.values.set((address & mask) >>> 0, value);
  }

  get({ address, length }: Ipv4Prefix): Value | undefined {
    return this.#lengths.find((one) => one.length === length)?.values.get((address & prefixMask(length)) >>> 0);
  }

  longest(address: Ipv4): Value | undefined {
    for (const { mask, values } of this.#lengths) {
      const found = values.get((address & mask) >>> 0);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Of every prefix that contains the address, the longest first. */
  *containing(address: Ipv4): Iterable<Value> {
    for (const { mask, values } of this.#lengths) {
      const found = values.get((address & mask) >>> 0);
      if (found !== undefined) yield found;
    }
  }
}
