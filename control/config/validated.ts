/**
 * Addresses of a validated configuration: text → numbers. A text that validation would have refused is a bug here.
 */
import { strict as assert } from 'node:assert';
import { parseInterfaceAddress, parseIpv4, parsePrefix, type Ipv4, type Ipv4Prefix } from '../protocol/packet/address';

export function validPrefix(text: string): Ipv4Prefix {
  const prefix = parsePrefix(text);
  assert(prefix !== undefined, 'a validated configuration has valid prefixes');
  return prefix;
}

export function validPrefixes(texts: readonly string[] | null | undefined): Ipv4Prefix[] {
  return (texts ?? []).map(validPrefix);
}

export function validInterfaceAddress(text: string): Ipv4Prefix {
  const address = parseInterfaceAddress(text);
  assert(address !== undefined, 'a validated configuration has valid addresses of interfaces');
  return address;
}

export function validAddress(text: string): Ipv4 {
  const address = parseIpv4(text);
  assert(address !== undefined, 'a validated configuration has valid addresses');
  return address;
}

/** Each once. */
export function validAddresses(texts: readonly string[] | null | undefined): Ipv4[] {
  return [...new Set((texts ?? []).map(validAddress))];
}
