/**
 * What is wrong with the text of an address or prefix, in the words of a problem. undefined: nothing.
 */
import {
  formatIpv4,
  isLocalNetworkControl,
  isMulticast,
  isUnicastSource,
  parseInterfaceAddress,
  parseIpv4,
  parsePrefix,
  type Ipv4Prefix,
} from '../protocol/packet/address';
import { printable } from './printable';

export function multicastPrefixFault(text: string): string | undefined {
  const prefix = parsePrefix(text);
  if (prefix === undefined) return noPrefix(text, '232.0.0.0/8');
  return isMulticast(prefix.address) && prefix.length >= 4 ? undefined : `${printable(text)} is not within 224.0.0.0/4`;
}

/** Groups that can cross a router. */
export function routedGroupsFault(text: string): string | undefined {
  const prefix = parsePrefix(text);
  const fault = multicastPrefixFault(text);
  if (fault !== undefined || prefix === undefined) return fault;
  return prefix.length >= 24 && isLocalNetworkControl(prefix.address) ? neverRouted(text) : undefined;
}

export function groupFault(text: string): string | undefined {
  const group = parseIpv4(text);
  if (group === undefined) return noAddress(text, '239.1.1.1');
  if (!isMulticast(group)) return `${printable(text)} is not within 224.0.0.0/4`;
  return isLocalNetworkControl(group) ? neverRouted(text) : undefined;
}

export function unicastFault(text: string): string | undefined {
  const address = parseIpv4(text);
  if (address === undefined) return noAddress(text, '10.0.0.1');
  return isUnicastSource(address) ? undefined : `${printable(text)} is no address of a host (0/8, 127/8 and 224/3 are none)`;
}

export function unicastPrefixFault(text: string): string | undefined {
  const prefix = parsePrefix(text);
  if (prefix === undefined) return noPrefix(text, '10.0.0.0/8');
  return hasHosts(prefix) ? undefined : `${printable(text)} has no address of a host (0/8, 127/8 and 224/3 have none)`;
}

/** Of an interface of this router. */
export function interfaceAddressFault(text: string): string | undefined {
  const found = parseInterfaceAddress(text);
  if (found === undefined) return `${printable(text)} is no address with the length of its subnet; write it such as "10.1.100.1/24"`;
  return unicastFault(formatIpv4(found.address));
}

/** RFC 3376 §4.2.13: a host without an address yet reports from 0.0.0.0. */
export function reporterFault(text: string): string | undefined {
  return text === '0.0.0.0' || text === '0.0.0.0/32' ? undefined : unicastPrefixFault(text);
}

/** 0/8 and 127/8 are all that a shorter prefix below 224.0.0.0 may share with other networks. */
function hasHosts({ address, length }: Ipv4Prefix): boolean {
  return length >= 8 ? isUnicastSource(address) : address >>> 29 !== 7;
}

function noAddress(text: string, example: string): string {
  return `${printable(text)} is no IPv4 address; write it such as "${example}"`;
}

function noPrefix(text: string, example: string): string {
  return `${printable(text)} is no IPv4 prefix; write it such as "${example}", bits behind the length zero`;
}

/** RFC 5771 §4: these never leave the link, so nobody can be asked for a stream of them. */
function neverRouted(text: string): string {
  return `${printable(text)} is within 224.0.0.0/24, which is never routed`;
}
