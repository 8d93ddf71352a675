/**
 * RTM_NEWLINK and RTM_DELLINK: the part of a network device this router cares about. Pure; never throws on bytes.
 */
import { attributeText, attributeU32, readAttributes, viewOf } from './attributes';
import {
  HOST_LITTLE_ENDIAN,
  IFF_LOWER_UP,
  IFF_RUNNING,
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_EXT_MASK,
  IFLA_IFNAME,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MTU,
  RTEXT_FILTER_SKIP_STATS,
  RTM_GETLINK,
} from './constants';
import { encodeDumpRequest } from './message';

export interface LinkRecord {
  /** AF_UNSPEC for the device itself. AF_BRIDGE records speak of a bridge port: their RTM_DELLINK leaves the device in place. */
  readonly family: number;
  readonly ifindex: number;
  /** undefined in partial notifications (wireless events), which say nothing about the rest either. */
  readonly name: string | undefined;
  /** Empty on devices without a link-layer address. */
  readonly macAddress: Uint8Array;
  readonly mtu: number;
  /** IFF_UP: set by the administrator. */
  readonly adminUp: boolean;
  /** adminUp, and there is a carrier, and the operational state lets packets through. */
  readonly up: boolean;
  /** "veth", "vlan", "bridge" …; "" for hardware and loopback. */
  readonly kind: string;
}

const IFINFOMSG_BYTES = 16;
const OPERATIONAL = IFF_UP | IFF_RUNNING | IFF_LOWER_UP;

export function decodeLink(payload: Uint8Array): LinkRecord | undefined {
  if (payload.length < IFINFOMSG_BYTES) return undefined;
  const attributes = readAttributes(payload.subarray(IFINFOMSG_BYTES));
  if (attributes === undefined) return undefined;
  const view = viewOf(payload);
  const ifindex = view.getInt32(4, HOST_LITTLE_ENDIAN);
  if (ifindex <= 0) return undefined;
  const flags = view.getUint32(8, HOST_LITTLE_ENDIAN);
  const linkInfo = readAttributes(attributes.get(IFLA_LINKINFO) ?? new Uint8Array(0));
  return {
    family: payload[0] ?? 0,
    ifindex,
    name: attributeText(attributes, IFLA_IFNAME),
    macAddress: Uint8Array.from(attributes.get(IFLA_ADDRESS) ?? []),
    mtu: attributeU32(attributes, IFLA_MTU) ?? 0,
    adminUp: (flags & IFF_UP) !== 0,
    up: (flags & OPERATIONAL) === OPERATIONAL,
    kind: (linkInfo && attributeText(linkInfo, IFLA_INFO_KIND)) ?? '',
  };
}

/** Statistics are left out: they are most of the bytes of a link and nobody here reads them. */
export function encodeLinkDump(sequence: number): Uint8Array {
  const body = new Uint8Array(IFINFOMSG_BYTES + 8);
  const view = viewOf(body);
  view.setUint16(IFINFOMSG_BYTES, 8, HOST_LITTLE_ENDIAN);
  view.setUint16(IFINFOMSG_BYTES + 2, IFLA_EXT_MASK, HOST_LITTLE_ENDIAN);
  view.setUint32(IFINFOMSG_BYTES + 4, RTEXT_FILTER_SKIP_STATS, HOST_LITTLE_ENDIAN);
  return encodeDumpRequest(RTM_GETLINK, sequence, body);
}
