/**
 * Whether a message is one for this host: where it was sent to, by whom, with which IP options. Answers with the reason of refusal;
 * never counts and never sees state. What the codec refused does not come here.
 */
import { isMulticast, type Ipv4, type Ipv4Prefix } from '../../packet/address';
import type { IgmpDropReason, IgmpQuery, ReceivedIgmp } from '../message';
import { ALL_SYSTEMS } from '../wire';

/**
 * Why nothing of this packet is taken; undefined when it is. The sender need not be on a subnet of ours: routers of access networks ask
 * from addresses of their own, snooping switches from 0.0.0.0 (RFC 4541 §2.1.1), and an answer goes to the link, never to the sender.
 */
export function refusePacket(packet: ReceivedIgmp, addresses: readonly Ipv4Prefix[]): IgmpDropReason | undefined {
  const { source, destination, message } = packet;
  if (isOwn(addresses, source)) return 'own_address';
  // RFC 3376 §4.1.12, §4.2.14: any address of this interface will do, but no other unicast address.
  if (!isMulticast(destination) && !isOwn(addresses, destination)) return 'bad_destination';
  return message.kind === 'query' ? refuseQuery(packet, message) : undefined;
}

/** RFC 3376 §9.1, against queries forged from elsewhere. */
function refuseQuery({ destination, routerAlert }: ReceivedIgmp, query: IgmpQuery): IgmpDropReason | undefined {
  const isGroupAddress = query.group !== 0 && destination === query.group;
  if (isMulticast(destination) && destination !== ALL_SYSTEMS && !isGroupAddress) return 'bad_destination';
  // Version 1 is older than the option.
  return query.version === 1 || routerAlert ? undefined : 'no_router_alert';
}

function isOwn(addresses: readonly Ipv4Prefix[], address: Ipv4): boolean {
  return addresses.some((prefix) => prefix.address === address);
}
