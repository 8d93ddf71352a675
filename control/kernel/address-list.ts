/**
 * The IPv4 addresses of one interface in the order the kernel keeps them, which decides whose address is "the" address. Pure.
 */
import type { Ipv4, Ipv4Prefix } from '../protocol/packet/address';
import type { AddressRecord } from './netlink/address';

/** `address` is the interface's own, `length` that of its subnet. */
export interface InterfaceAddress extends Ipv4Prefix {
  readonly secondary: boolean;
  readonly scope: number;
  /** Point-to-point: the address of the other end, whose prefix `length` then is. */
  readonly peer: Ipv4 | undefined;
}

/** RT_SCOPE_UNIVERSE */
const SCOPE_UNIVERSE = 0;

/** One that a configuration gives. */
export function configuredAddress({ address, length }: Ipv4Prefix): InterfaceAddress {
  return { address, length, secondary: false, scope: SCOPE_UNIVERSE, peer: undefined };
}

/** Primary addresses first. Lists are replaced, never changed in place. */
export type AddressList = readonly InterfaceAddress[];

/**
 * Mirrors __inet_insert_ifa(): a primary address goes behind the last primary one of the same or a narrower scope, else to the
 * front; a secondary one to the end. Returns the same list when nothing changed.
 */
export function addAddress(list: AddressList, record: AddressRecord): AddressList {
  const entry: InterfaceAddress = {
    address: record.address,
    length: record.length,
    secondary: record.secondary,
    scope: record.scope,
    peer: record.peer,
  };
  const known = list.find((other) => isSameKey(other, entry));
  if (known !== undefined && isSameAddress(known, entry)) return list;
  const rest = known === undefined ? list : list.filter((other) => other !== known);
  if (entry.secondary) return [...rest, entry];
  const position = 1 + rest.findLastIndex((other) => !other.secondary && entry.scope <= other.scope);
  return [...rest.slice(0, position), entry, ...rest.slice(position)];
}

/** A dump lists the addresses in kernel order. */
export function appendAddress(list: AddressList, record: AddressRecord): AddressList {
  const { ifindex: _, ...entry } = record;
  return list.some((other) => isSameKey(other, entry)) ? list : [...list, entry];
}

/** Returns the same list when the address is not in it. */
export function removeAddress(list: AddressList, record: AddressRecord): AddressList {
  const rest = list.filter((other) => !isSameKey(other, record));
  return rest.length === list.length ? list : rest;
}

export function isSameAddressList(a: AddressList, b: AddressList): boolean {
  return a === b || (a.length === b.length && a.every((address, index) => isSameAddress(address, b[index])));
}

function isSameAddress(a: InterfaceAddress, b: InterfaceAddress | undefined): boolean {
  return b !== undefined && isSameKey(a, b) && a.secondary === b.secondary && a.scope === b.scope;
}

function isSameKey(a: Omit<InterfaceAddress, 'secondary' | 'scope'>, b: Omit<InterfaceAddress, 'secondary' | 'scope'>): boolean {
  return a.address === b.address && a.length === b.length && a.peer === b.peer;
}
