/**
 * Routes as the multicast routing base wants them and a data plane installs them.
 */
import type { Ipv4 } from '../protocol/packet/address';

/** A port as everything above the driver knows it: a small integer, 1 to the limit of the forwarder. */
export type VportId = number;

export interface RouteKey {
  /** 0: (*,G). */
  readonly source: Ipv4;
  readonly group: Ipv4;
}

/** A route as the multicast routing base wants it. */
export interface WantedRoute extends RouteKey {
  /** undefined: no interface is right for every source; packets are questions to the controller. */
  readonly incoming: VportId | undefined;
  /** Ascending, without the incoming one. Empty: the packets are counted and dropped. */
  readonly outgoing: readonly VportId[];
  /** Forwarded only if the TTL received is greater, on top of the interfaces' thresholds. Default 0: they alone decide. */
  readonly ttlThreshold?: number;
}

export type RouteChange = { readonly kind: 'set'; readonly route: WantedRoute } | { readonly kind: 'remove'; readonly key: RouteKey };

/** The key of a route in maps of JavaScript: source and group need 60 bits, more than a number holds exactly. */
export function routeName(source: Ipv4, group: Ipv4): string {
  return `${source}/${group}`;
}
