/**
 * Reads the filters of List requests. Text from outside becomes a predicate or INVALID_ARGUMENT with the field's name.
 */
import { formatPrefix, type Ipv4, parsePrefix, prefixContains } from '../protocol/packet/address';

import { invalidArgument } from './api-error';

export interface AddressFilter {
  /** One spelling for each filter ("" for none): part of what a page token is bound to. */
  readonly canonical: string;
  matches(address: Ipv4): boolean;
}

const ANY: AddressFilter = { canonical: '', matches: () => true };

/** "" lets everything through. */
export function addressFilter(field: string, text: string): AddressFilter {
  if (text === '') return ANY;
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw invalidArgument(field, text, 'is no IPv4 address, nor a prefix whose host bits are zero');
  return { canonical: formatPrefix(prefix), matches: (address) => prefixContains(prefix, address) };
}

/** As addressFilter; (*,G) entries (source 0) pass only where no filter is set: "all sources" is not a source. */
export function sourceFilter(field: string, text: string): AddressFilter {
  const filter = addressFilter(field, text);
  if (filter === ANY) return ANY;
  return { canonical: filter.canonical, matches: (source) => source !== 0 && filter.matches(source) };
}
