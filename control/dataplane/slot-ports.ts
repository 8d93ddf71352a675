/**
 * Which port each slot of a replication group is for, told to the programs for the groups that have VLANs in them: in all others the
 * device of a slot is its port. The egress program does not see slots: it finds its port by device and by how many copies of the packet
 * went there before, which are those of the slots before.
 */
import type { BpfMap } from '#bindings';
import type { VportId } from '../mrib/route';
import type { Abi, SlotKey } from './abi';
import type { SlotOwner } from './installed-abi';
import { readU32, u32Keys } from './keys';
import { byGroup } from './slot-owners';

export interface FilledSlot {
  readonly slot: number;
  readonly vport: VportId;
  readonly ifindex: number;
}

interface Written {
  readonly now: readonly SlotKey[];
  /** Of the filling before, for copies that are on their way. */
  readonly before: readonly SlotKey[];
}

export class SlotPorts {
  readonly #abi: Abi;
  readonly #map: BpfMap;
  readonly #vlanPorts: ReadonlySet<VportId>;
  /** By group: what is in the map. */
  readonly #written = new Map<number, Written>();

  /** `vlanPorts`: changes as ports do. */
  constructor(abi: Abi, map: BpfMap, vlanPorts: ReadonlySet<VportId>) {
    this.#abi = abi;
    this.#map = map;
    this.#vlanPorts = vlanPorts;
  }

  /** What a controller before this one has told the programs: it is there. */
  adopt(owners: readonly SlotOwner[]): void {
    for (const [group, found] of byGroup(owners)) this.#written.set(group, { now: found.map(({ key }) => key), before: [] });
  }

  /** Whether the programs are told what fill() has told them. */
  isTold(group: number, slots: readonly FilledSlot[]): boolean {
    if (!this.#hasVlans(slots)) return true;
    return entriesOf(group, slots).every(({ key, vport }) => {
      const found = this.#map.lookup(this.#abi.slotKeys([key]));
      return found !== undefined && readU32(found, 0) === vport;
    });
  }

  /**
   * Before the slots themselves are written: a copy must find its port. Throws when the table is full; the group is then to be cleared.
   */
  fill(group: number, slots: readonly FilledSlot[]): void {
    if (!this.#hasVlans(slots)) return;
    const entries = entriesOf(group, slots);
    const keys = entries.map(({ key }) => key);
    const { now, before } = this.#written.get(group) ?? { now: [], before: [] };
    // Remembered first: of those written before a refusal none may be forgotten.
    this.#written.set(group, { now: keys, before: now });
    this.#delete(without(before, [...now, ...keys]));
    this.#map.updateMany(this.#abi.slotKeys(keys), u32Keys(entries.map(({ vport }) => vport)), entries.length);
  }

  clear(group: number): void {
    const written = this.#written.get(group);
    this.#written.delete(group);
    if (written !== undefined) this.#delete([...written.now, ...without(written.before, written.now)]);
  }

  #hasVlans(slots: readonly FilledSlot[]): boolean {
    return slots.some(({ vport }) => this.#vlanPorts.has(vport));
  }

  #delete(keys: readonly SlotKey[]): void {
    if (keys.length > 0) this.#map.deleteMany(this.#abi.slotKeys(keys), keys.length);
  }
}

/** Each slot by itself, and as the n-th of its device. */
function entriesOf(group: number, slots: readonly FilledSlot[]): { readonly key: SlotKey; readonly vport: VportId }[] {
  const copies = new Map<number, number>();
  return slots.flatMap(({ slot, vport, ifindex }) => {
    const place = copies.get(ifindex) ?? 0;
    copies.set(ifindex, place + 1);
    return [
      { key: { group, ifindex: 0, place: slot }, vport },
      { key: { group, ifindex, place }, vport },
    ];
  });
}

/** Of one group. */
function without(keys: readonly SlotKey[], others: readonly SlotKey[]): readonly SlotKey[] {
  const kept = new Set(others.map(nameOf));
  return keys.filter((key) => !kept.has(nameOf(key)));
}

function nameOf({ ifindex, place }: SlotKey): string {
  return `${ifindex} ${place}`;
}
