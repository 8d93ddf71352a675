/**
 * What is listened to of one group, as a set (RFC 3376 §3.2). "Non-existent" is INCLUDE without sources, as in §5.1, so that a group's
 * coming and going are changes like any other. Values only: a filter never changes, it is replaced.
 */
import type { Ipv4 } from '../../packet/address';
import type { HostFilter } from './api';

export interface Filter {
  readonly mode: 'include' | 'exclude';
  readonly sources: ReadonlySet<Ipv4>;
}

export const NOTHING: Filter = { mode: 'include', sources: new Set() };
const EVERYTHING: HostFilter = { mode: 'exclude', sources: [] };
/** Of most groups, so there is one for all. */
const EVERY_SOURCE: Filter = { mode: 'exclude', sources: new Set() };

export function filterOf(wanted: HostFilter | undefined): Filter {
  if (wanted === undefined) return NOTHING;
  if (wanted.sources.length === 0) return wanted.mode === 'include' ? NOTHING : EVERY_SOURCE;
  return { mode: wanted.mode, sources: new Set(wanted.sources) };
}

export function isNothing(filter: Filter): boolean {
  return filter.mode === 'include' && filter.sources.size === 0;
}

export function isListenedTo(filter: Filter, source: Ipv4): boolean {
  return filter.sources.has(source) === (filter.mode === 'include');
}

export function sameFilter(one: Filter, other: Filter): boolean {
  if (one.mode !== other.mode || one.sources.size !== other.sources.size) return false;
  for (const source of one.sources) if (!other.sources.has(source)) return false;
  return true;
}

/** RFC 4605 §4.1: before version 3 "only the multicast address field in the membership record is used". */
export function asReported(filter: Filter, version: 1 | 2 | 3): HostFilter {
  return version === 3 ? { mode: filter.mode, sources: ascending(filter.sources) } : EVERYTHING;
}

/** RFC 3376 §4.2.16 prefers "to report the same set of sources in each subsequent report": an order that does not depend on history. */
export function ascending(sources: Iterable<Ipv4>): Ipv4[] {
  return Array.from(sources).sort((one, other) => one - other);
}
