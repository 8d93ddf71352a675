/**
 * The UDP checksum of a datagram whose sender's kernel has left it to hardware (CHECKSUM_PARTIAL): what is there is the sum of the
 * pseudo header, to which the datagram's own has to be added.
 */
import { internetChecksum } from './checksum';
import { readEthernetHeader } from './ethernet';

const UDP = 17;
const IP_HEADER_BYTES = 20;
const UDP_HEADER_BYTES = 8;
const CHECKSUM_OFFSET = 6;
const MORE_FRAGMENTS_AND_OFFSET = 0x3fff;

/** The same frame when there is nothing to finish, else a copy. */
export function withFinishedChecksum(frame: Uint8Array): Uint8Array {
  const udp = udpOf(frame);
  if (udp === undefined) return frame;
  const { at, length, pseudoSum } = udp;
  const before = new DataView(frame.buffer, frame.byteOffset, frame.length);
  // A finished checksum is this number by chance once in 65,536 times; then it is the right one already, and comes out as it was.
  if (before.getUint16(at + CHECKSUM_OFFSET) !== pseudoSum) return frame;
  const finished = Uint8Array.from(frame);
  // RFC 768: 0 means that there is none.
  new DataView(finished.buffer).setUint16(at + CHECKSUM_OFFSET, internetChecksum(finished.subarray(at, at + length)) || 0xffff);
  return finished;
}

/** A whole datagram in one packet, with a checksum. */
function udpOf(frame: Uint8Array): { readonly at: number; readonly length: number; readonly pseudoSum: number } | undefined {
  const ip = readEthernetHeader(frame)?.headerLength;
  if (ip === undefined || frame.length < ip + IP_HEADER_BYTES + UDP_HEADER_BYTES) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const isWhole = view.getUint8(ip) === 0x45 && view.getUint8(ip + 9) === UDP && (view.getUint16(ip + 6) & MORE_FRAGMENTS_AND_OFFSET) === 0;
  const at = ip + IP_HEADER_BYTES;
  const length = view.getUint16(at + 4);
  if (!isWhole || length < UDP_HEADER_BYTES || at + length > frame.length || view.getUint16(at + CHECKSUM_OFFSET) === 0) return undefined;
  const pseudo = new Uint8Array(12);
  pseudo.set(frame.subarray(ip + 12, ip + 20));
  new DataView(pseudo.buffer).setUint16(8, UDP);
  new DataView(pseudo.buffer).setUint16(10, length);
  return { at, length, pseudoSum: ~internetChecksum(pseudo) & 0xffff };
}
