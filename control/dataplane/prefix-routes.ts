/**
 * Routes for ranges of groups and sources, below (S,G) and (*,G). The programs look up the longest group prefix and, in the set it names,
 * the longest source prefix; they never go back. So each set is made complete here: what a shorter group prefix says about sources that
 * a longer one leaves open is copied into the longer one's set. Changes are written so that a packet never meets a half-made set.
 */
import type { BpfMap } from '#bindings';
import { formatPrefix, prefixContains, type Ipv4Prefix } from '../protocol/packet/address';
import type { Abi } from './abi';
import { u32Key } from './keys';

type PrefixMap = Pick<BpfMap, 'update' | 'delete' | 'lookupBatch'>;

export interface PrefixMaps {
  readonly groups: PrefixMap;
  readonly sources: PrefixMap;
}

interface SourceEntry {
  readonly source: Ipv4Prefix;
  /** struct xm_route. */
  readonly value: Uint8Array;
}

export interface InstalledGroup {
  readonly group: Ipv4Prefix;
  readonly set: number;
}

export interface InstalledSource {
  readonly set: number;
  readonly source: Ipv4Prefix;
  readonly value: Uint8Array;
}

export interface InstalledRange {
  readonly group: Ipv4Prefix;
  readonly source: Ipv4Prefix;
  readonly value: Uint8Array;
}

/** By formatPrefix(source). */
type SourceSet = Map<string, SourceEntry>;

interface GroupEntry {
  readonly group: Ipv4Prefix;
  readonly set: number;
  readonly own: SourceSet;
  /** As the kernel has it. */
  installed: SourceSet;
}

export class PrefixRoutes {
  readonly #abi: Abi;
  readonly #maps: PrefixMaps;
  readonly #groups = new Map<string, GroupEntry>();
  #nextSet = 1;

  constructor(abi: Abi, maps: PrefixMaps) {
    this.#abi = abi;
    this.#maps = maps;
  }

  /** As the kernel has them. Returns what of them was asked for, without what longer group prefixes took over from shorter ones. */
  adopt(groups: readonly InstalledGroup[], sources: readonly InstalledSource[]): readonly InstalledRange[] {
    const known = new Set(groups.map(({ set }) => set));
    // Of a set that nothing names any more, or nothing yet.
    for (const { set, source } of sources) if (!known.has(set)) this.#maps.sources.delete(this.#abi.sourcePrefix(set, source));
    for (const { group, set } of [...groups].sort((a, b) => a.group.length - b.group.length)) {
      this.#adoptGroup({ group, set, own: new Map(), installed: new Map() }, sources.filter((one) => one.set === set));
      this.#nextSet = Math.max(this.#nextSet, set + 1);
    }
    return [...this.#groups.values()].flatMap(({ group, own }) => [...own.values()].map(({ source, value }) => ({ group, source, value })));
  }

  #adoptGroup(entry: GroupEntry, sources: readonly InstalledSource[]): void {
    const parent = this.#parentOf(entry.group);
    const inherited = parent === undefined ? new Map<string, SourceEntry>() : this.#completeSet(parent);
    for (const { source, value } of sources) {
      const name = formatPrefix(source);
      const from = inherited.get(name);
      // The counter is part of the value: equal bytes are the same route.
      const copy = from !== undefined && Buffer.compare(from.value, value) === 0 ? from : undefined;
      entry.installed.set(name, copy ?? { source, value });
      if (copy === undefined) entry.own.set(name, { source, value });
    }
    this.#groups.set(formatPrefix(entry.group), entry);
    if (entry.own.size > 0) return;
    this.#maps.groups.delete(this.#abi.groupPrefix(entry.group));
    this.#withdraw(entry);
  }

  /** Throws the kernel's error when a table is full: nothing has changed then. */
  set(group: Ipv4Prefix, source: Ipv4Prefix, value: Uint8Array): void {
    const name = formatPrefix(group);
    const known = this.#groups.get(name);
    const entry = known ?? { group, set: this.#nextSet++, own: new Map(), installed: new Map() };
    const before = entry.own.get(formatPrefix(source));
    entry.own.set(formatPrefix(source), { source, value });
    this.#groups.set(name, entry);
    try {
      this.#install(group);
      if (known === undefined) this.#maps.groups.update(this.#abi.groupPrefix(group), u32Key(entry.set));
    } catch (error) {
      if (before === undefined) entry.own.delete(formatPrefix(source));
      else entry.own.set(formatPrefix(source), before);
      if (known === undefined) this.#withdraw(entry);
      this.#install(group);
      throw error;
    }
  }

  remove(group: Ipv4Prefix, source: Ipv4Prefix): void {
    const entry = this.#groups.get(formatPrefix(group));
    if (entry === undefined || !entry.own.delete(formatPrefix(source))) return;
    if (entry.own.size === 0) {
      // First out of sight: packets go on to the shorter prefix.
      this.#maps.groups.delete(this.#abi.groupPrefix(group));
      this.#withdraw(entry);
    }
    this.#install(group);
  }

  /** Puts right what somebody else has changed. Resolves with how much that was. */
  async repair(): Promise<number> {
    const groups = new Map<string, Uint8Array>();
    const sources = new Map<string, Uint8Array>();
    for (const { group, set, installed } of this.#groups.values()) {
      groups.set(hex(this.#abi.groupPrefix(group)), u32Key(set));
      for (const { source, value } of installed.values()) sources.set(hex(this.#abi.sourcePrefix(set, source)), value);
    }
    return (await repairTable(this.#maps.sources, sources)) + (await repairTable(this.#maps.groups, groups));
  }

  #withdraw(entry: GroupEntry): void {
    this.#groups.delete(formatPrefix(entry.group));
    this.#write(entry, new Map());
  }

  /** Every set that a change at this group prefix may concern: its own and those of longer prefixes within it. */
  #install(changed: Ipv4Prefix): void {
    const concerned = [...this.#groups.values()].filter(({ group }) => group.length >= changed.length && prefixContains(changed, group.address));
    for (const entry of concerned.sort((a, b) => a.group.length - b.group.length)) this.#write(entry, this.#completeSet(entry));
  }

  #completeSet(entry: GroupEntry): SourceSet {
    const complete: SourceSet = new Map(entry.own);
    const parent = this.#parentOf(entry.group);
    if (parent === undefined) return complete;
    for (const [name, inherited] of this.#completeSet(parent)) {
      const covered = [...entry.own.values()].some(({ source }) => source.length <= inherited.source.length && prefixContains(source, inherited.source.address));
      if (!covered) complete.set(name, inherited);
    }
    return complete;
  }

  #parentOf(group: Ipv4Prefix): GroupEntry | undefined {
    let parent: GroupEntry | undefined;
    for (const entry of this.#groups.values()) {
      const contains = entry.group.length < group.length && prefixContains(entry.group, group.address);
      if (contains && entry.group.length > (parent?.group.length ?? -1)) parent = entry;
    }
    return parent;
  }

  /** New and changed routes before old ones go: a source never falls between two. */
  #write(entry: GroupEntry, wanted: SourceSet): void {
    for (const [name, { source, value }] of wanted) {
      if (entry.installed.get(name)?.value === value) continue;
      this.#maps.sources.update(this.#abi.sourcePrefix(entry.set, source), value);
      entry.installed.set(name, { source, value });
    }
    for (const [name, { source }] of entry.installed) {
      if (wanted.has(name)) continue;
      this.#maps.sources.delete(this.#abi.sourcePrefix(entry.set, source));
      entry.installed.delete(name);
    }
  }
}

/** `wanted`: by keys in hexadecimal. What changes while the table is read is left for the next time. */
async function repairTable(map: PrefixMap, wanted: ReadonlyMap<string, Uint8Array>): Promise<number> {
  const { keys, values, count } = await map.lookupBatch();
  const found = new Map<string, Uint8Array>();
  for (let i = 0; i < count; i++) found.set(hex(pieceOf(keys, i, count)), pieceOf(values, i, count));
  let repaired = 0;
  for (const [key, value] of wanted) {
    const now = found.get(key);
    if (now !== undefined && Buffer.compare(now, value) === 0) continue;
    map.update(Buffer.from(key, 'hex'), value);
    repaired++;
  }
  for (const key of found.keys()) if (!wanted.has(key) && map.delete(Buffer.from(key, 'hex'))) repaired++;
  return repaired;
}

function pieceOf(bytes: Uint8Array, index: number, count: number): Uint8Array {
  const size = bytes.length / count;
  return bytes.subarray(index * size, (index + 1) * size);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
