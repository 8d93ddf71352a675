/**
 * What is listened to of one group, as a set (RFC 3376 §3.2). "Non-existent" is INCLUDE without sources, as in §5.1, so that a group's
 * coming and going are changes like any other. Values only: a filter never changes, it is replaced.
 */
import type { Ipv4 } from '../../packet/address';
import type { HostFilter } from './api';

export interface Filter extends HostFilter {
  /** Ascending, each once. A list, because most are short and there may be one for each of very many groups. */
  readonly sources: readonly Ipv4[];
}

export const NOTHING: Filter = { mode: 'include', sources: [] };
/** Of most groups, so there is one for all. */
const EVERY_SOURCE: Filter = { mode: 'exclude', sources: [] };

export function filterOf(wanted: HostFilter | undefined): Filter {
  if (wanted === undefined) return NOTHING;
  if (wanted.sources.length === 0) return wanted.mode === 'include' ? NOTHING : EVERY_SOURCE;
  return { mode: wanted.mode, sources: asSet(wanted.sources) };
}

export function isNothing(filter: Filter): boolean {
  return filter.mode === 'include' && filter.sources.length === 0;
}

export function isListenedTo(filter: Filter, source: Ipv4): boolean {
  return namesSource(filter, source) === (filter.mode === 'include');
}

export function sameFilter(one: Filter, other: Filter): boolean {
  if (one === other) return true;
  if (one.mode !== other.mode || one.sources.length !== other.sources.length) return false;
  return one.sources.every((source, index) => source === other.sources[index]);
}

/** The sources named in one of the two only, which both lines of the first table of RFC 3376 §5.1 come to while the mode stays. */
export function* difference(one: Filter, other: Filter): Iterable<Ipv4> {
  for (const source of one.sources) if (!namesSource(other, source)) yield source;
  for (const source of other.sources) if (!namesSource(one, source)) yield source;
}

/** RFC 4605 §4.1: before version 3 "only the multicast address field in the membership record is used". */
export function asReported(filter: Filter, version: 1 | 2 | 3): HostFilter {
  return version === 3 ? filter : EVERY_SOURCE;
}

/** RFC 3376 §4.2.16 prefers "to report the same set of sources in each subsequent report": an order that does not depend on history. */
export function ascending(sources: Iterable<Ipv4>): Ipv4[] {
  return Array.from(sources).sort((one, other) => one - other);
}

/** A list of its own, which nobody else changes and which is as long as it needs to be. */
function asSet(sources: readonly Ipv4[]): readonly Ipv4[] {
  const isSet = sources.every((source, index) => source > (sources[index - 1] ?? -1));
  return isSet ? sources.slice() : ascending(new Set(sources));
}

/** By halves: the lists may be long, and a change of one looks up each source of the other. */
function namesSource({ sources }: Filter, source: Ipv4): boolean {
  let from = 0;
  let to = sources.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((sources[middle] ?? source) < source) from = middle + 1;
    else to = middle;
  }
  return sources[from] === source;
}
