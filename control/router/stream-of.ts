/**
 * Source and group of a frame that the data plane handed over, which may be no more than its headers. Judges nothing: the data plane did.
 */
import type { RouteKey } from '../mrib/route';
import { readEthernetHeader } from '../protocol/packet/ethernet';

const IPV4_SOURCE_OFFSET = 12;
const IPV4_DESTINATION_OFFSET = 16;
const IPV4_HEADER_BYTES = 20;

/** undefined: too short for an IPv4 header. */
export function streamOf(frame: Uint8Array): RouteKey | undefined {
  const ethernet = readEthernetHeader(frame);
  if (ethernet === undefined || frame.length < ethernet.headerLength + IPV4_HEADER_BYTES) return undefined;
  const ip = new DataView(frame.buffer, frame.byteOffset + ethernet.headerLength, IPV4_HEADER_BYTES);
  return { source: ip.getUint32(IPV4_SOURCE_OFFSET), group: ip.getUint32(IPV4_DESTINATION_OFFSET) };
}
