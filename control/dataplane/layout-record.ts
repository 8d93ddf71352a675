/**
 * What the maps of a forwarder were made for: version, sizes, and every struct and constant that crosses them. Kept in a map beside them
 * as text, so that a later version can read them, whatever its own layout is. Equal texts: the maps fit.
 */
import { BpfMap, possibleCpus, type BtfLayout } from '#bindings';
import { u32Key } from './keys';

export interface ForwarderSizes {
  readonly routes: number;
  /** Slots for counters of routes. */
  readonly counters: number;
  readonly groups: number;
  readonly ranges: number;
  /** Slots of groups with VLANs in them. */
  readonly vlanSlots: number;
}

export interface LayoutRecord {
  readonly abi: number;
  /** Blocks of counters. */
  readonly cpus: number;
  readonly sizes: ForwarderSizes;
  readonly btf: BtfLayout;
}

const BPF_MAP_TYPE_ARRAY = 2;
/** Names of the ABI; everything else in the BTF is the kernel's or the compiler's. */
const OURS = /^xm_/i;
/** What the controller of this version can read of another one. 6 did not note members. */
const READABLE_ABIS: readonly number[] = [6, 7];

export function describeLayout(btf: BtfLayout, sizes: ForwarderSizes): string {
  const record: LayoutRecord = {
    abi: btf.enumerators['XM_ABI_VERSION'] ?? 0,
    cpus: possibleCpus(),
    sizes,
    btf: { structs: ours(btf.structs), enumerators: ours(btf.enumerators), enums: ours(btf.enums), variables: [] },
  };
  return JSON.stringify(record);
}

/** undefined: it is none that this version can read. */
export function parseLayout(text: string): LayoutRecord | undefined {
  try {
    const record = JSON.parse(text) as LayoutRecord;
    return READABLE_ABIS.includes(record.abi) ? record : undefined;
  } catch {
    // Written by somebody else, or damaged: as good as none.
    return undefined;
  }
}

/** A map that holds the text. */
export function layoutMap(text: string): BpfMap {
  const bytes = new TextEncoder().encode(text);
  const map = BpfMap.create({ type: BPF_MAP_TYPE_ARRAY, name: 'xm_layout', keySize: 4, valueSize: bytes.length, maxEntries: 1 });
  map.update(u32Key(0), bytes);
  return map;
}

export function readLayout(map: BpfMap): string {
  return new TextDecoder().decode(map.lookup(u32Key(0)));
}

/** In the order of their names: the compiler's order may change without a change of layout. */
function ours<Value>(entries: Readonly<Record<string, Value>>): Readonly<Record<string, Value>> {
  return Object.fromEntries(
    Object.entries(entries)
      .filter(([name]) => OURS.test(name))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
