/**
 * How source and group of a route are written, in the API as in labels of metrics: an address, "*" for every source, or a prefix on
 * routes for ranges. Pure.
 */
import { formatIpv4, formatPrefix, type Ipv4, type Ipv4Prefix } from '../protocol/packet/address';

const ADDRESS_BITS = 32;

/** The part of RouteState and FlowState that names the route; also a RouteKey. */
export interface RouteRange {
  readonly source: Ipv4;
  readonly group: Ipv4;
  readonly sourceLength?: number | undefined;
  readonly groupLength?: number | undefined;
}

export function groupRange({ group, groupLength }: RouteRange): Ipv4Prefix {
  return { address: group, length: groupLength ?? ADDRESS_BITS };
}

/** Length 0: every source. */
export function sourceRange({ source, sourceLength }: RouteRange): Ipv4Prefix {
  return { address: source, length: sourceLength ?? (source === 0 ? 0 : ADDRESS_BITS) };
}

export function groupText(route: RouteRange): string {
  return rangeText(groupRange(route));
}

export function sourceText(route: RouteRange): string {
  const range = sourceRange(route);
  return range.length === 0 ? '*' : rangeText(range);
}

function rangeText(range: Ipv4Prefix): string {
  return range.length === ADDRESS_BITS ? formatIpv4(range.address) : formatPrefix(range);
}
