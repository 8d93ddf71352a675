/**
 * Addresses as other programs' files have them: a prefix may have bits behind its length, which are cut off.
 */
import { printable } from '../config/printable';
import { parseIpv4, prefixMask, type Ipv4Prefix } from '../protocol/packet/address';

export interface ReadPrefix {
  readonly prefix: Ipv4Prefix;
  /** There were bits behind the length. */
  readonly wasCut: boolean;
}

/** An address, or one with a length; without it all 32 bits count. undefined: neither. */
export function readPrefix(text: string): ReadPrefix | undefined {
  const match = /^([0-9.]+)(?:\/([0-9]{1,2}))?$/.exec(text);
  const address = parseIpv4(match?.[1] ?? '');
  const length = Number(match?.[2] ?? 32);
  if (address === undefined || length > 32) return undefined;
  const network = (address & prefixMask(length)) >>> 0;
  return { prefix: { address: network, length }, wasCut: network !== address };
}

export function noPrefix(text: string): string {
  if (text.includes(':')) return `${printable(text)} is IPv6, which xmcast does not route yet; left out`;
  return `${printable(text)} is no IPv4 address or prefix such as 239.1.0.0/16`;
}
