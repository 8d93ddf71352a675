/**
 * Reads the filters of List requests. Text from outside becomes a predicate or INVALID_ARGUMENT with the field's name.
 */
import { formatPrefix, type Ipv4, type Ipv4Prefix, parsePrefix, prefixContains } from '../protocol/packet/address';

import { invalidArgument } from './api-error';

export interface RangeFilter {
  /** One spelling for each filter ("" for none): part of what a page token is bound to. */
  readonly canonical: string;
  /**
   * Filter and range overlap: a filter of one group finds the ranges that forward it, too, and a filter of a wide prefix all ranges
   * inside.
   */
  overlaps(range: Ipv4Prefix): boolean;
}

export interface AddressFilter extends RangeFilter {
  matches(address: Ipv4): boolean;
}

const ANY: AddressFilter = { canonical: '', matches: () => true, overlaps: () => true };

/** "" lets everything through. */
export function addressFilter(field: string, text: string): AddressFilter {
  if (text === '') return ANY;
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw invalidArgument(field, text, 'is no IPv4 address, nor a prefix whose host bits are zero');
  return {
    canonical: formatPrefix(prefix),
    matches: (address) => prefixContains(prefix, address),
    // Prefixes overlap only where the longer one lies within the shorter one.
    overlaps: (range) =>
      range.length < prefix.length ? prefixContains(range, prefix.address) : prefixContains(prefix, range.address),
  };
}

/** Entries for every source pass only where no filter is set: "all sources" is not a source. */
export function sourceFilter(field: string, text: string): RangeFilter {
  const filter = addressFilter(field, text);
  if (filter === ANY) return ANY;
  return { canonical: filter.canonical, overlaps: (range) => range.length > 0 && filter.overlaps(range) };
}
