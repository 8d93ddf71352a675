/**
 * Whether a message, or a record of it, may touch state at all: sender, Router Alert, and the class of the group.
 * Answers with the reason of refusal; never counts and never sees group state. What the codec already refused does not come here.
 */
import { isLocalNetworkControl, isMulticast, prefixContains, type Ipv4, type Ipv4Prefix } from '../../packet/address';
import type { IgmpDropReason, ReceivedIgmp } from '../message';
import type { IgmpInterfaceSettings } from './api';

/** The interface's own addresses with their prefix lengths; the first is the one queries are sent from. */
export type LinkAddresses = readonly Ipv4Prefix[];

/** Why nothing of this packet is taken; undefined when it is. */
export function refusePacket(
  packet: ReceivedIgmp,
  addresses: LinkAddresses,
  settings: IgmpInterfaceSettings,
): IgmpDropReason | undefined {
  const { source, destination, message } = packet;
  const isQuery = message.kind === 'query';
  // RFC 3376 §4.1.12, §4.2.14: any address of this interface will do, but no other unicast address.
  if (!isMulticast(destination) && !isOwnAddress(addresses, destination)) return 'bad_destination';
  if (isOwnAddress(addresses, source)) return 'own_address';
  // RFC 4541 §2.1.1(4): such queries come from switches that must not win an election. Reports from 0.0.0.0 are fine (§4.2.13).
  if (isQuery && source === 0) return 'querier_zero_source';
  if (!isOnSubnet(addresses, source) && (isQuery || !mayReportFrom(source, settings))) return 'off_subnet_source';
  if (isQuery && !isPermittedQuerier(source, settings)) return 'querier_denied';
  // §9.2. A v1 router never sets the option in its queries (RFC 1112).
  const isV1Query = isQuery && message.version === 1;
  if (settings.requireRouterAlert && !packet.routerAlert && !isV1Query) return 'no_router_alert';
  return undefined;
}

/** Why no record can make state of this group. */
export function refuseGroup(group: Ipv4): IgmpDropReason | undefined {
  if (!isMulticast(group)) return 'record_bad_group';
  // RFC 5771 §4: never forwarded off the link, whatever hosts report.
  return isLocalNetworkControl(group) ? 'link_local_group' : undefined;
}

/** DEVIATION(RFC2236 3): a lower address is no querier if the operator says so, because a forged query takes the role away (§9.1). */
export function isPermittedQuerier(source: Ipv4, { queriers }: IgmpInterfaceSettings): boolean {
  return queriers.length === 0 || queriers.some((prefix) => prefixContains(prefix, source));
}

/** §9.2, for senders that are in no subnet of the interface; §4.2.13 for 0.0.0.0. */
function mayReportFrom(source: Ipv4, { acceptOffSubnet, alternativeSubnets }: IgmpInterfaceSettings): boolean {
  return source === 0 || acceptOffSubnet || alternativeSubnets.some((prefix) => prefixContains(prefix, source));
}

/** While the interface has no address there is no subnet to be outside of: memberships are still learnt. */
export function isOnSubnet(addresses: LinkAddresses, source: Ipv4): boolean {
  return addresses.length === 0 || addresses.some((prefix) => prefixContains(prefix, source));
}

export function isOwnAddress(addresses: LinkAddresses, source: Ipv4): boolean {
  return addresses.some((prefix) => prefix.address === source);
}

export function sameAddresses(one: LinkAddresses, other: LinkAddresses): boolean {
  return (
    one.length === other.length &&
    one.every((prefix, index) => prefix.address === other[index]?.address && prefix.length === other[index]?.length)
  );
}
