/**
 * Routes as the multicast routing base wants them and a data plane installs them.
 */
import { formatPrefix, type Ipv4, type Ipv4Prefix } from '../protocol/packet/address';

/** A port as everything above the driver knows it: a small integer, 1 to the limit of the forwarder. */
export type VportId = number;

/**
 * (S,G), or (*,G) with source 0. With a length, a range: those come below every (S,G) and (*,G), the longest group first, then the longest
 * source.
 */
export interface RouteKey {
  /** 0: (*,G). */
  readonly source: Ipv4;
  readonly group: Ipv4;
  /** Bits of the source that count. Default: 32, or 0 with source 0. */
  readonly sourceLength?: number;
  /** Bits of the group that count. Default 32. */
  readonly groupLength?: number;
}

/** A route as the multicast routing base wants it. */
export interface WantedRoute extends RouteKey {
  /** undefined: no interface is right for every source; packets are questions to the controller. */
  readonly incoming: VportId | undefined;
  /** Ascending, without the incoming one. Empty: the packets are counted and dropped. */
  readonly outgoing: readonly VportId[];
  /** Forwarded only if the TTL received is greater, on top of the interfaces' thresholds. Default 0: they alone decide. */
  readonly ttlThreshold?: number;
  /**
   * Interfaces on which the machine itself is a member: its applications get what comes in there, as it was received, and what leaves there,
   * as it leaves. Ascending. Default: none.
   */
  readonly local?: readonly VportId[];
}

/** Also of equal keys. */
export function sameRoute(a: WantedRoute, b: WantedRoute): boolean {
  return a.incoming === b.incoming && a.ttlThreshold === b.ttlThreshold && sameVports(a.local, b.local) && sameVports(a.outgoing, b.outgoing);
}

function sameVports(a: readonly VportId[] = [], b: readonly VportId[] = []): boolean {
  return a.length === b.length && a.every((vport, i) => vport === b[i]);
}

export type RouteChange = { readonly kind: 'set'; readonly route: WantedRoute } | { readonly kind: 'remove'; readonly key: RouteKey };

/** The key of a route in maps of JavaScript: source and group need 60 bits, more than a number holds exactly. */
export function routeName(source: Ipv4, group: Ipv4): string {
  return `${source}/${group}`;
}

export function isRange(key: RouteKey): boolean {
  return key.sourceLength !== undefined || key.groupLength !== undefined;
}

export function rangeOf(key: RouteKey): { readonly group: Ipv4Prefix; readonly source: Ipv4Prefix } {
  return {
    group: { address: key.group, length: key.groupLength ?? 32 },
    source: { address: key.source, length: key.sourceLength ?? (key.source === 0 ? 0 : 32) },
  };
}

/** The key of a range, or of what has all its bits. */
export function rangeKey(group: Ipv4Prefix, source: Ipv4Prefix): RouteKey {
  return { source: source.address, group: group.address, sourceLength: source.length, groupLength: group.length };
}

/** As routeName(), for ranges too. */
export function nameOf(key: RouteKey): string {
  if (!isRange(key)) return routeName(key.source, key.group);
  const { group, source } = rangeOf(key);
  return `${formatPrefix(source)} ${formatPrefix(group)}`;
}

/** Somebody gets its packets. */
export function isWanted({ outgoing, local = [] }: Pick<WantedRoute, 'outgoing' | 'local'>): boolean {
  return outgoing.length + local.length > 0;
}
