/**
 * What the slots of a replication group stand for that a controller before this one has filled: the port of their device, or, where several
 * share it, the one the programs were told.
 */
import type { VportId } from '../mrib/route';
import type { PortSpec } from './api';
import type { SlotOwner } from './installed-abi';

interface FoundGroup {
  readonly index: number;
  /** The interface in each slot; undefined: an empty slot. */
  readonly slots: readonly (number | undefined)[];
  /** Of a route to VLANs. */
  readonly toVlans: boolean;
}

/** undefined: the port of the slot is not there any more. */
export type ReadOwners = (group: FoundGroup) => readonly (VportId | undefined)[];

/** `ports`: as they are attached. */
export function ownersReader(ports: readonly PortSpec[], owners: readonly SlotOwner[]): ReadOwners {
  const untagged = new Map(ports.filter(({ vlan = 0 }) => vlan === 0).map(({ ifindex, vport }) => [ifindex, vport]));
  const deviceOf = new Map(ports.map(({ vport, ifindex }) => [vport, ifindex]));
  const told = byGroup(owners);
  return ({ index, slots, toVlans }) => {
    if (!toVlans) return slots.map((ifindex) => (ifindex === undefined ? undefined : untagged.get(ifindex)));
    const places = new Map((told.get(index) ?? []).map(({ key, vport }) => [`${key.ifindex} ${key.place}`, vport]));
    const copies = new Map<number, number>();
    return slots.map((ifindex, slot) => {
      if (ifindex === undefined) return undefined;
      const copy = copies.get(ifindex) ?? 0;
      copies.set(ifindex, copy + 1);
      // It is said twice: where somebody has removed one of the two the other one tells.
      return [places.get(`0 ${slot}`), places.get(`${ifindex} ${copy}`)].find((vport) => vport !== undefined && deviceOf.get(vport) === ifindex);
    });
  };
}

export function byGroup(owners: readonly SlotOwner[]): ReadonlyMap<number, readonly SlotOwner[]> {
  const groups = new Map<number, SlotOwner[]>();
  for (const owner of owners) {
    const found = groups.get(owner.key.group);
    if (found === undefined) groups.set(owner.key.group, [owner]);
    else found.push(owner);
  }
  return groups;
}
