/**
 * Groups as keys of a table with very many of them. As signed numbers all multicast addresses are small integers of the engine, kept
 * in the table itself and compared as they are; as unsigned ones each would be an object on the heap, hashed and compared as such.
 */
import type { Ipv4 } from '../../packet/address';

/** -2^29 ≤ key < -2^28, as 224/4 is. */
export type GroupKey = number;

export function keyOf(group: Ipv4): GroupKey {
  return group | 0;
}

export function groupOf(key: GroupKey): Ipv4 {
  return key >>> 0;
}
