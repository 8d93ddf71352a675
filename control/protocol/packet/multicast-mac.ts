/**
 * The Ethernet address of an IPv4 multicast group (RFC 1112 §6.4): 01:00:5e and the low 23 bits of the group.
 * 32 groups share each address, so it never tells which group a frame is for.
 */
import { isMulticast, type Ipv4 } from './address';

/** Throws RangeError for an address outside 224.0.0.0/4: it has no such mapping. */
export function multicastMac(group: Ipv4): Uint8Array {
  if (!isMulticast(group)) throw new RangeError(`no multicast MAC for ${group}: not in 224.0.0.0/4`);
  return Uint8Array.of(0x01, 0x00, 0x5e, (group >>> 16) & 0x7f, (group >>> 8) & 0xff, group & 0xff);
}
