/**
 * RTM_NEWADDR and RTM_DELADDR of IPv4. Pure; never throws on bytes.
 */
import type { Ipv4 } from '../../protocol/packet/address';
import { attributeIpv4, attributeU32, readAttributes, viewOf } from './attributes';
import { AF_INET, HOST_LITTLE_ENDIAN, IFA_ADDRESS, IFA_FLAGS, IFA_F_SECONDARY, IFA_LOCAL, RTM_GETADDR } from './constants';
import { encodeDumpRequest } from './message';

export interface AddressRecord {
  readonly ifindex: number;
  /** The interface's own address. */
  readonly address: Ipv4;
  /** The other end when the address was added with one (point-to-point); then `length` is a prefix of it, not of `address`. */
  readonly peer: Ipv4 | undefined;
  readonly length: number;
  /** In a subnet that another, older address of the interface already covers. */
  readonly secondary: boolean;
  /** 0 universe, 253 link, 254 host: the kernel orders addresses by it. */
  readonly scope: number;
}

const IFADDRMSG_BYTES = 8;

/** undefined when malformed; 'other' when it is no IPv4 address. */
export function decodeAddress(payload: Uint8Array): AddressRecord | 'other' | undefined {
  if (payload.length < IFADDRMSG_BYTES) return undefined;
  if (payload[0] !== AF_INET) return 'other';
  const attributes = readAttributes(payload.subarray(IFADDRMSG_BYTES));
  if (attributes === undefined) return undefined;
  const view = viewOf(payload);
  const length = view.getUint8(1);
  const remote = attributeIpv4(attributes, IFA_ADDRESS);
  // Without IFA_LOCAL, IFA_ADDRESS is the interface's own address; with both and different, it is the peer's (linux/if_addr.h).
  const address = attributeIpv4(attributes, IFA_LOCAL) ?? remote;
  if (address === undefined || length > 32) return undefined;
  const flags = attributeU32(attributes, IFA_FLAGS) ?? view.getUint8(2);
  return {
    ifindex: view.getUint32(4, HOST_LITTLE_ENDIAN),
    address,
    peer: remote === address ? undefined : remote,
    length,
    secondary: (flags & IFA_F_SECONDARY) !== 0,
    scope: view.getUint8(3),
  };
}

export function encodeAddressDump(sequence: number): Uint8Array {
  const body = new Uint8Array(IFADDRMSG_BYTES);
  body[0] = AF_INET;
  return encodeDumpRequest(RTM_GETADDR, sequence, body);
}
