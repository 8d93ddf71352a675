/**
 * What the multicast routing base has to ask about interfaces and unicast routes. Types only; answered by the router.
 */
import type { Ipv4 } from '../protocol/packet/address';
import type { VportId } from './route';

export interface ReversePath {
  /**
   * The interfaces by which packets of this source to this group may come in. None: nobody expects it. More than one: upstreams that
   * serve it together; the one by which it really arrives is the one.
   */
  incomingFor(source: Ipv4, group: Ipv4): readonly VportId[];
  /** The upstreams in use for this group, or for this source of it (RFC 4605), which it may cross; empty while there is none. */
  upstreams(group: Ipv4, source?: Ipv4): readonly VportId[];
  /** Whether it is configured as an upstream, in use for a group or not. */
  isUpstream(vport: VportId): boolean;
  /** Whether groups of this address may cross the interface at all (RFC 2365). */
  crosses(vport: VportId, group: Ipv4): boolean;
  /** Whether streams are sent to the hosts of this interface: RFC 4605 §4.2, only where this router is the querier. */
  forwardsTo(vport: VportId): boolean;
}
