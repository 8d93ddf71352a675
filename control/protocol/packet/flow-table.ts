/**
 * Values by the flows they speak of: a group prefix and a source prefix, each pair once. Finds the one of exactly these prefixes, the
 * longest around a packet, and all that have packets in common with a flow; each in a look for each prefix length there is.
 */
import { prefixContains, prefixMask, type Ipv4, type Ipv4Prefix } from './address';

export interface FlowPrefix {
  readonly group: Ipv4Prefix;
  /** undefined: every source. */
  readonly source: Ipv4Prefix | undefined;
}

interface GroupsOfLength<Value extends FlowPrefix> {
  readonly length: number;
  readonly mask: number;
  readonly sources: Map<number, SourceTable<Value>>;
}

export class FlowTable<Value extends FlowPrefix> {
  /** Longest first. */
  #lengths: readonly GroupsOfLength<Value>[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get({ group, source }: FlowPrefix): Value | undefined {
    return this.ofGroup(group)?.get(source);
  }

  /** In the place of what was there for the same prefixes. */
  set(value: Value): void {
    const { sources } = this.#ofLength(value.group.length);
    const key = keyOf(value.group.address);
    const known = sources.get(key);
    if (known === undefined) sources.set(key, new SourceTable(value));
    else if (!known.set(value)) return;
    this.#size++;
  }

  delete({ group, source }: FlowPrefix): Value | undefined {
    const sources = this.#lengths.find(({ length }) => length === group.length)?.sources;
    const table = sources?.get(keyOf(group.address));
    const found = table?.delete(source);
    if (found === undefined) return undefined;
    if (table?.size === 0) sources?.delete(keyOf(group.address));
    this.#size--;
    return found;
  }

  /** Those of exactly this group prefix; never empty. */
  ofGroup({ address, length }: Ipv4Prefix): SourceTable<Value> | undefined {
    for (const one of this.#lengths) if (one.length === length) return one.sources.get(keyOf(address));
    return undefined;
  }

  covers(group: Ipv4): boolean {
    for (const { mask, sources } of this.#lengths) if (sources.has(group & mask)) return true;
    return false;
  }

  /** The longest group decides, then the longest source. */
  match(source: Ipv4, group: Ipv4): Value | undefined {
    for (const { mask, sources } of this.#lengths) {
      const found = sources.get(group & mask)?.longest(source);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** All that some packet of the flow belongs to. Walks over every group that lies within the flow's. */
  *overlapping({ group, source }: FlowPrefix): Iterable<Value> {
    for (const { length, mask, sources } of this.#lengths) {
      if (length <= group.length) {
        const table = sources.get(group.address & mask);
        if (table !== undefined) yield* table.overlapping(source);
        continue;
      }
      for (const [address, table] of sources) if (prefixContains(group, address >>> 0)) yield* table.overlapping(source);
    }
  }

  *values(): Iterable<Value> {
    for (const { sources } of this.#lengths) for (const table of sources.values()) yield* table.values();
  }

  #ofLength(length: number): GroupsOfLength<Value> {
    const known = this.#lengths.find((one) => one.length === length);
    if (known !== undefined) return known;
    const added = { length, mask: prefixMask(length), sources: new Map<number, SourceTable<Value>>() };
    this.#lengths = [...this.#lengths, added].sort((a, b) => b.length - a.length);
    return added;
  }
}

/** Values of one group prefix. Most have one, which then needs no tables. */
export class SourceTable<Value extends FlowPrefix> {
  #only: Value | undefined;
  /** Longest first; empty while there is only one. */
  #lengths: readonly { readonly length: number; readonly mask: number; readonly values: Map<number, Value> }[] = [];
  #size = 1;

  constructor(only: Value) {
    this.#only = only;
  }

  get size(): number {
    return this.#size;
  }

  /** Whether some value is for more than one source, and not for all. */
  get hasRanges(): boolean {
    if (this.#only !== undefined) return isRangeLength(lengthOf(this.#only.source));
    return this.#lengths.some(({ length, values }) => isRangeLength(length) && values.size > 0);
  }

  get(source: Ipv4Prefix | undefined): Value | undefined {
    if (this.#only !== undefined) return sameSource(this.#only.source, source) ? this.#only : undefined;
    const length = lengthOf(source);
    for (const one of this.#lengths) if (one.length === length) return one.values.get(keyOf(source?.address ?? 0));
    return undefined;
  }

  /** Whether it is one more. */
  set(value: Value): boolean {
    if (this.#only !== undefined && sameSource(this.#only.source, value.source)) {
      this.#only = value;
      return false;
    }
    if (this.#size === 0) this.#only = value;
    else this.#put(value);
    const before = this.#size;
    this.#size = this.#only === undefined ? this.#lengths.reduce((sum, { values }) => sum + values.size, 0) : 1;
    return this.#size > before;
  }

  delete(source: Ipv4Prefix | undefined): Value | undefined {
    const found = this.get(source);
    if (found === undefined) return undefined;
    if (found === this.#only) this.#only = undefined;
    else this.#lengths.find(({ length }) => length === lengthOf(source))?.values.delete(keyOf(source?.address ?? 0));
    this.#size--;
    return found;
  }

  longest(source: Ipv4): Value | undefined {
    if (this.#only !== undefined) return this.#only.source === undefined || prefixContains(this.#only.source, source) ? this.#only : undefined;
    for (const { mask, values } of this.#lengths) {
      const found = values.get(source & mask);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  *overlapping(source: Ipv4Prefix | undefined): Iterable<Value> {
    const flow = source ?? EVERY_SOURCE;
    if (this.#only !== undefined) {
      if (overlap(this.#only.source ?? EVERY_SOURCE, flow)) yield this.#only;
      return;
    }
    for (const { length, mask, values } of this.#lengths) {
      if (length <= flow.length) {
        const found = values.get(flow.address & mask);
        if (found !== undefined) yield found;
        continue;
      }
      for (const [address, value] of values) if (prefixContains(flow, address >>> 0)) yield value;
    }
  }

  *values(): Iterable<Value> {
    if (this.#only !== undefined) yield this.#only;
    for (const { values } of this.#lengths) yield* values.values();
  }

  #put(value: Value): void {
    const only = this.#only;
    this.#only = undefined;
    for (const one of only === undefined ? [value] : [only, value]) this.#ofLength(lengthOf(one.source)).set(keyOf(one.source?.address ?? 0), one);
  }

  #ofLength(length: number): Map<number, Value> {
    const known = this.#lengths.find((one) => one.length === length);
    if (known !== undefined) return known.values;
    const added = { length, mask: prefixMask(length), values: new Map<number, Value>() };
    this.#lengths = [...this.#lengths, added].sort((a, b) => b.length - a.length);
    return added.values;
  }
}

const EVERY_SOURCE: Ipv4Prefix = { address: 0, length: 0 };

/** As a signed number: V8 boxes integers of 2^31 and above, and all groups are such. */
function keyOf(address: Ipv4): number {
  return address | 0;
}

function lengthOf(source: Ipv4Prefix | undefined): number {
  return source?.length ?? 0;
}

function isRangeLength(length: number): boolean {
  return length > 0 && length < 32;
}

function sameSource(a: Ipv4Prefix | undefined, b: Ipv4Prefix | undefined): boolean {
  return lengthOf(a) === lengthOf(b) && (a?.address ?? 0) === (b?.address ?? 0);
}

/** Of two prefixes one contains the other, or they have nothing in common. */
function overlap(a: Ipv4Prefix, b: Ipv4Prefix): boolean {
  return a.length <= b.length ? prefixContains(a, b.address) : prefixContains(b, a.address);
}
