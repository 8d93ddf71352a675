/**
 * A records → the sources of a group: sorted, each once, no more than allowed, none that no host can send from. Knows no time.
 */
import { isUnicastSource, type Ipv4 } from '../protocol/packet/address';
import type { AddressRecord, SsmLimits } from './api';

export interface SourceAnswer {
  /** Ascending. Servers turn their lists round, and the order must not look like a change. */
  readonly sources: readonly Ipv4[];
  /** The smallest of the records that count, within the bounds. */
  readonly ttlMs: number;
  readonly notUnicast: number;
  readonly tooMany: number;
}

export function sourceAnswer(records: readonly AddressRecord[], limits: SsmLimits): SourceAnswer {
  const usable = records.filter(({ address }) => isUnicastSource(address));
  const sources = [...new Set(usable.map(({ address }) => address))].sort((a, b) => a - b);
  const shortest = usable.reduce((least, { ttlMs }) => Math.min(least, ttlMs), Infinity);
  return {
    // The lowest, not the first: which ones are first changes from answer to answer.
    sources: sources.slice(0, limits.sourcesPerGroup),
    ttlMs: Math.max(limits.shortestTtlMs, Math.min(shortest, limits.longestTtlMs)),
    notUnicast: records.length - usable.length,
    tooMany: Math.max(0, sources.length - limits.sourcesPerGroup),
  };
}

export function sameSources(one: readonly Ipv4[], other: readonly Ipv4[]): boolean {
  return one.length === other.length && one.every((source, index) => source === other[index]);
}
