/**
 * Which (group, source) pairs of prefixes have packets in common. Two prefixes either contain one another or have nothing in
 * common, so an answer takes a look-up for each prefix length there is instead of a comparison with every entry.
 */
import { prefixMask, type Ipv4, type Ipv4Prefix } from '../protocol/packet/address';

export interface FlowPrefix {
  readonly group: Ipv4Prefix;
  /** Length 0 for every source. */
  readonly source: Ipv4Prefix;
}

export class OverlapIndex<Entry extends FlowPrefix> {
  /** Group prefix length → group → the sources there. */
  readonly #byGroup = new Map<number, Map<Ipv4, SourceSet<Entry>>>();

  constructor(entries: Iterable<Entry>) {
    for (const entry of entries) {
      const { address, length } = entry.group;
      const ofLength = getOrAdd(this.#byGroup, length, () => new Map<Ipv4, SourceSet<Entry>>());
      getOrAdd(ofLength, address, () => new SourceSet<Entry>()).add(entry);
    }
  }

  /** An entry whose group prefix contains that of `flow`, and that has sources in common with it. */
  findAround(flow: FlowPrefix): Entry | undefined {
    for (const [length, groups] of this.#byGroup) {
      if (length > flow.group.length) continue;
      const found = groups.get((flow.group.address & prefixMask(length)) >>> 0)?.find(flow.source);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** Entries of one group prefix by their source prefix. */
class SourceSet<Entry extends FlowPrefix> {
  readonly #byLength = new Map<number, Map<Ipv4, Entry>>();
  /** By first address; undefined until it is needed. */
  #sorted: Entry[] | undefined;

  add(entry: Entry): void {
    const { address, length } = entry.source;
    getOrAdd(this.#byLength, length, () => new Map<Ipv4, Entry>()).set(address, entry);
    this.#sorted = undefined;
  }

  find(source: Ipv4Prefix): Entry | undefined {
    return this.#around(source) ?? this.#within(source);
  }

  #around(source: Ipv4Prefix): Entry | undefined {
    for (const [length, entries] of this.#byLength) {
      if (length > source.length) continue;
      const found = entries.get((source.address & prefixMask(length)) >>> 0);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** What begins within `source` either is within it or contains it. */
  #within(source: Ipv4Prefix): Entry | undefined {
    this.#sorted ??= [...this.#byLength.values()]
      .flatMap((entries) => [...entries.values()])
      .sort((a, b) => a.source.address - b.source.address);
    const first = this.#sorted[firstFrom(this.#sorted, source.address)];
    const last = (source.address | ~prefixMask(source.length)) >>> 0;
    return first !== undefined && first.source.address <= last ? first : undefined;
  }
}

/** Index of the first that does not begin before this address. */
function firstFrom(sorted: readonly FlowPrefix[], address: Ipv4): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle]?.source.address ?? 0) < address) low = middle + 1;
    else high = middle;
  }
  return low;
}

function getOrAdd<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const there = map.get(key);
  if (there !== undefined) return there;
  const made = make();
  map.set(key, made);
  return made;
}
