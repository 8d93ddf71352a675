/**
 * The source lists remembered of hosts: immutable, shared where they are equal, and bounded, because anybody can send long ones from
 * many addresses. Set operations on short lists and nothing else.
 */
import type { Ipv4 } from '../../packet/address';
import type { FilterMode } from './transition-table';

export interface HostWish {
  mode: FilterMode;
  /** Wanted in INCLUDE mode, unwanted in EXCLUDE mode. */
  sources: readonly Ipv4[];
}

/** Of one host in one group. With more a group does not know all that is wanted. */
const REMEMBERED_SOURCES = 64;
const NO_SOURCES: readonly Ipv4[] = [];

/** The new list in place of the old one; the old one itself when they are equal. */
export function editedSources(before: readonly Ipv4[], after: readonly Ipv4[]): readonly Ipv4[] {
  if (after.length === 0) return NO_SOURCES;
  return sameList(before, after) ? before : withSources(NO_SOURCES, after).sources;
}

export function withSources(
  list: readonly Ipv4[],
  more: readonly Ipv4[],
): { readonly sources: readonly Ipv4[]; readonly complete: boolean } {
  if (more.length === 0 || sameList(list, more)) return { sources: list, complete: true };
  if (list.length === 0 && more.length <= REMEMBERED_SOURCES) return { sources: more, complete: true };
  const all = new Set(list);
  for (const source of more) {
    if (all.size < REMEMBERED_SOURCES) all.add(source);
    else if (!all.has(source)) return { sources: [...all], complete: false };
  }
  return { sources: [...all], complete: true };
}

export function withoutSources(list: readonly Ipv4[], gone: readonly Ipv4[]): readonly Ipv4[] {
  if (list.length === 0 || gone.length === 0) return list;
  const unwanted = new Set(gone);
  const left = list.filter((source) => !unwanted.has(source));
  return left.length === 0 ? NO_SOURCES : left;
}

function sameList(one: readonly Ipv4[], other: readonly Ipv4[]): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index += 1) if (one[index] !== other[index]) return false;
  return true;
}
