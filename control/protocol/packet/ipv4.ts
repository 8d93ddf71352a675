/**
 * The IPv4 header (RFC 791 §3.1): read with every check a header can fail on its own, and write with its checksum.
 * Never looks into the payload and never judges addresses, TTL or protocol.
 */
import type { Ipv4 } from './address';
import { internetChecksum } from './checksum';
import { dataViewOf } from './data-view';

export const IPV4_MIN_HEADER_LENGTH = 20;
export const IPV4_MAX_TOTAL_LENGTH = 0xffff;
export const IP_PROTOCOL_IGMP = 2;

const MAX_OPTIONS_LENGTH = 40;
const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_OFFSET_MASK = 0x1fff;
const CHECKSUM_OFFSET = 10;
const NO_OPTIONS = new Uint8Array(0);

export interface Ipv4Header {
  /** Bytes, options included. */
  readonly headerLength: number;
  /** Bytes of header and payload. Never more than was received; what lies behind it is link-layer padding. */
  readonly totalLength: number;
  readonly typeOfService: number;
  readonly identification: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** Bytes. */
  readonly fragmentOffset: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly source: Ipv4;
  readonly destination: Ipv4;
  /** As on the wire, a view into the packet. */
  readonly options: Uint8Array;
}

export interface Ipv4Fields {
  readonly payloadLength: number;
  readonly typeOfService: number;
  readonly identification: number;
  readonly dontFragment: boolean;
  readonly ttl: number;
  readonly protocol: number;
  readonly source: Ipv4;
  readonly destination: Ipv4;
  /** A multiple of 4 bytes, at most 40. */
  readonly options: Uint8Array;
}

export type Ipv4HeaderProblem =
  'truncated' | 'bad_ip_version' | 'bad_ip_header_length' | 'bad_ip_total_length' | 'bad_ip_checksum';

/** The header, or the first thing wrong with it. `packet` starts at the header and may go on behind the IP packet. */
export function readIpv4Header(packet: Uint8Array): Ipv4Header | Ipv4HeaderProblem {
  if (packet.length < IPV4_MIN_HEADER_LENGTH) return 'truncated';
  const view = dataViewOf(packet);
  const headerLength = (view.getUint8(0) & 0x0f) * 4;
  const totalLength = view.getUint16(2);
  const problem = findHeaderProblem(packet, view.getUint8(0) >>> 4, headerLength, totalLength);
  if (problem !== undefined) return problem;
  const fragment = view.getUint16(6);
  return {
    headerLength,
    totalLength,
    typeOfService: view.getUint8(1),
    identification: view.getUint16(4),
    dontFragment: (fragment & DONT_FRAGMENT) !== 0,
    moreFragments: (fragment & MORE_FRAGMENTS) !== 0,
    fragmentOffset: (fragment & FRAGMENT_OFFSET_MASK) * 8,
    ttl: view.getUint8(8),
    protocol: view.getUint8(9),
    source: view.getUint32(12),
    destination: view.getUint32(16),
    options: headerLength > IPV4_MIN_HEADER_LENGTH ? packet.subarray(IPV4_MIN_HEADER_LENGTH, headerLength) : NO_OPTIONS,
  };
}

/** Holds 20 ≤ header length ≤ total length ≤ received, which every later read relies on. */
function findHeaderProblem(
  packet: Uint8Array,
  version: number,
  headerLength: number,
  totalLength: number,
): Ipv4HeaderProblem | undefined {
  if (version !== 4) return 'bad_ip_version';
  if (headerLength < IPV4_MIN_HEADER_LENGTH) return 'bad_ip_header_length';
  if (totalLength < headerLength) return 'bad_ip_total_length';
  if (totalLength > packet.length) return 'truncated';
  return internetChecksum(packet.subarray(0, headerLength)) === 0 ? undefined : 'bad_ip_checksum';
}

/** Writes at the start of `target` and returns the header's length. Throws RangeError on fields no header can carry. */
export function writeIpv4Header(target: Uint8Array, fields: Ipv4Fields): number {
  const headerLength = IPV4_MIN_HEADER_LENGTH + fields.options.length;
  const totalLength = headerLength + fields.payloadLength;
  if (fields.options.length % 4 !== 0 || fields.options.length > MAX_OPTIONS_LENGTH) {
    throw new RangeError(`IPv4 options of ${fields.options.length} bytes`);
  }
  if (totalLength > IPV4_MAX_TOTAL_LENGTH) throw new RangeError(`an IPv4 packet of ${totalLength} bytes`);
  const view = dataViewOf(target);
  view.setUint8(0, 0x40 | (headerLength / 4));
  view.setUint8(1, fields.typeOfService);
  view.setUint16(2, totalLength);
  view.setUint16(4, fields.identification);
  view.setUint16(6, fields.dontFragment ? DONT_FRAGMENT : 0);
  view.setUint8(8, fields.ttl);
  view.setUint8(9, fields.protocol);
  view.setUint16(CHECKSUM_OFFSET, 0);
  view.setUint32(12, fields.source);
  view.setUint32(16, fields.destination);
  target.set(fields.options, IPV4_MIN_HEADER_LENGTH);
  view.setUint16(CHECKSUM_OFFSET, internetChecksum(target.subarray(0, headerLength)));
  return headerLength;
}
