/**
 * RTM_NEWLINK and RTM_DELLINK: the part of a network device this router cares about. Pure; never throws on bytes.
 */
import { attributeText, attributeU16, attributeU32, readAttributes, viewOf, type Attributes } from './attributes';
import {
  HOST_LITTLE_ENDIAN,
  IFF_LOWER_UP,
  IFF_RUNNING,
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_EXT_MASK,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_INFO_SLAVE_KIND,
  IFLA_LINK,
  IFLA_LINKINFO,
  IFLA_LINK_NETNSID,
  IFLA_MTU,
  IFLA_VLAN_ID,
  IFLA_VLAN_PROTOCOL,
  RTEXT_FILTER_SKIP_STATS,
  RTM_GETLINK,
} from './constants';
import { encodeDumpRequest } from './message';

/** What an interface of kind "vlan" is: the frames of one tag (802.1Q) on another interface. */
export interface KernelVlan {
  /** Of the interface below. */
  readonly ifindex: number;
  readonly id: number;
}

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
  /** Only of a customer's tag on an interface of this namespace. */
  readonly vlan?: KernelVlan;
  /** Of the device that this one is a part of: "bridge", "bond", "vrf" …; "" for none. */
  readonly partOf: string;
}

const ETHERTYPE_VLAN = 0x8100;
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
  const kind = (linkInfo && attributeText(linkInfo, IFLA_INFO_KIND)) ?? '';
  const vlan = kind === 'vlan' ? kernelVlan(attributes, linkInfo?.get(IFLA_INFO_DATA)) : undefined;
  return {
    family: payload[0] ?? 0,
    ifindex,
    name: attributeText(attributes, IFLA_IFNAME),
    macAddress: Uint8Array.from(attributes.get(IFLA_ADDRESS) ?? []),
    mtu: attributeU32(attributes, IFLA_MTU) ?? 0,
    adminUp: (flags & IFF_UP) !== 0,
    up: (flags & OPERATIONAL) === OPERATIONAL,
    kind,
    partOf: (linkInfo && attributeText(linkInfo, IFLA_INFO_SLAVE_KIND)) ?? '',
    ...(vlan === undefined ? {} : { vlan }),
  };
}

function kernelVlan(attributes: Attributes, data: Uint8Array | undefined): KernelVlan | undefined {
  const details = data && readAttributes(data);
  const ifindex = attributeU32(attributes, IFLA_LINK);
  const id = details && attributeU16(details, IFLA_VLAN_ID);
  // In network order, unlike the rest.
  const protocol = details?.get(IFLA_VLAN_PROTOCOL);
  const isCustomers = protocol?.length === 2 && viewOf(protocol).getUint16(0) === ETHERTYPE_VLAN;
  if (ifindex === undefined || id === undefined || !isCustomers || attributes.has(IFLA_LINK_NETNSID)) return undefined;
  return { ifindex, id };
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
