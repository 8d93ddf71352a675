/**
 * RTM_NEWROUTE and RTM_DELROUTE of IPv4. Pure; never throws on bytes.
 */
import { prefixMask, type Ipv4 } from '../../protocol/packet/address';
import { align4, attributeIpv4, attributeU32, readAttributes, viewOf, type Attributes } from './attributes';
import {
  AF_INET,
  HOST_LITTLE_ENDIAN,
  RTA_DST,
  RTA_GATEWAY,
  RTA_MULTIPATH,
  RTA_OIF,
  RTA_PREFSRC,
  RTA_PRIORITY,
  RTA_TABLE,
  RTM_F_CLONED,
  RTM_GETROUTE,
} from './constants';
import { encodeDumpRequest } from './message';

export interface RouteHop {
  readonly ifindex: number;
  /** undefined: the destination is on the link (or, rarely, behind an IPv6 gateway). */
  readonly gateway: Ipv4 | undefined;
}

export interface RouteRecord {
  readonly network: Ipv4;
  readonly length: number;
  readonly table: number;
  /** RTN_UNICAST, RTN_LOCAL … */
  readonly type: number;
  /** Routes with a type of service other than 0 serve only packets marked so. */
  readonly typeOfService: number;
  readonly metric: number;
  /** Source address for packets of the box itself: the kernel drops the route when that address goes. */
  readonly preferredSource: Ipv4 | undefined;
  /** More than one: multipath, in kernel order. Empty: none (blackhole), or one that is hidden behind a next-hop object. */
  readonly hops: readonly RouteHop[];
  /** A cached exception of a route. */
  readonly cloned: boolean;
}

const RTMSG_BYTES = 12;
const RTNEXTHOP_BYTES = 8;

/** undefined when malformed; 'other' when it is no IPv4 route. */
export function decodeRoute(payload: Uint8Array): RouteRecord | 'other' | undefined {
  if (payload.length < RTMSG_BYTES) return undefined;
  if (payload[0] !== AF_INET) return 'other';
  const attributes = readAttributes(payload.subarray(RTMSG_BYTES));
  const hops = attributes && readHops(attributes);
  const view = viewOf(payload);
  const length = view.getUint8(1);
  if (attributes === undefined || hops === undefined || length > 32) return undefined;
  return {
    network: ((attributeIpv4(attributes, RTA_DST) ?? 0) & prefixMask(length)) >>> 0,
    length,
    table: attributeU32(attributes, RTA_TABLE) ?? view.getUint8(4),
    type: view.getUint8(7),
    typeOfService: view.getUint8(3),
    metric: attributeU32(attributes, RTA_PRIORITY) ?? 0,
    preferredSource: attributeIpv4(attributes, RTA_PREFSRC),
    hops,
    cloned: (view.getUint32(8, HOST_LITTLE_ENDIAN) & RTM_F_CLONED) !== 0,
  };
}

function readHops(attributes: Attributes): readonly RouteHop[] | undefined {
  const multipath = attributes.get(RTA_MULTIPATH);
  if (multipath !== undefined) return readMultipath(multipath);
  const ifindex = attributeU32(attributes, RTA_OIF);
  return ifindex === undefined ? [] : [{ ifindex, gateway: attributeIpv4(attributes, RTA_GATEWAY) }];
}

function readMultipath(bytes: Uint8Array): readonly RouteHop[] | undefined {
  const hops: RouteHop[] = [];
  const view = viewOf(bytes);
  let offset = 0;
  while (bytes.length - offset >= RTNEXTHOP_BYTES) {
    const length = view.getUint16(offset, HOST_LITTLE_ENDIAN);
    if (length < RTNEXTHOP_BYTES || length > bytes.length - offset) return undefined;
    const attributes = readAttributes(bytes.subarray(offset + RTNEXTHOP_BYTES, offset + length));
    if (attributes === undefined) return undefined;
    hops.push({ ifindex: view.getInt32(offset + 4, HOST_LITTLE_ENDIAN), gateway: attributeIpv4(attributes, RTA_GATEWAY) });
    offset += align4(length);
  }
  return hops;
}

export function encodeRouteDump(sequence: number): Uint8Array {
  const body = new Uint8Array(RTMSG_BYTES);
  body[0] = AF_INET;
  return encodeDumpRequest(RTM_GETROUTE, sequence, body);
}
