/** Frames for the programs: a good UDP multicast frame, with any part of it spoilt on request. */
import { writeEthernetHeader } from '../../control/protocol/packet/ethernet';
import { multicastMac } from '../../control/protocol/packet/multicast-mac';
import { internetChecksum } from '../../control/protocol/packet/checksum';
import { parseIpv4 } from '../../control/protocol/packet/address';

export const ETHERNET_BYTES = 14;
const ADDRESSES_BYTES = 12;
const MIN_HEADER_BYTES = 20;
/** An option of one byte. */
const NO_OPERATION = 1;
const SENDER_MAC = Uint8Array.of(0x02, 0, 0, 0, 0, 0x99);

export interface FrameOptions {
  readonly source?: string;
  readonly group?: string;
  readonly ttl?: number;
  readonly identification?: number;
  /** UDP payload. */
  readonly payload?: number;
  readonly destinationMac?: Uint8Array;
  readonly protocol?: number;
  readonly version?: number;
  /** 32-bit words. */
  readonly headerLength?: number;
  /** Of the IP header, as many as there are; the rest of a longer header is no operation. */
  readonly ipOptions?: readonly number[];
  readonly totalLength?: number;
  readonly checksum?: number;
  readonly etherType?: number;
  /** Bytes after the IP packet. */
  readonly padding?: number;
  /** First byte after the IP header. */
  readonly firstByte?: number;
  /** Outermost first: in front of the IP packet. */
  readonly tags?: readonly Tag[];
}

export interface Tag {
  /** Priority and VLAN: all 16 bits. */
  readonly tci: number;
  /** Default 802.1Q. */
  readonly type?: number;
}

export function ip(text: string): number {
  const address = parseIpv4(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
}

export function frame(options: FrameOptions = {}): Uint8Array {
  const group = ip(options.group ?? '239.1.1.1');
  const words = options.headerLength ?? (MIN_HEADER_BYTES + (options.ipOptions ?? []).length) / 4;
  const headerBytes = Math.max(words, 5) * 4;
  const total = headerBytes + 8 + (options.payload ?? 100);
  const bytes = new Uint8Array(ETHERNET_BYTES + total + (options.padding ?? 0));
  const destination = options.destinationMac ?? multicastMac(((group & 0x0fffffff) | 0xe0000000) >>> 0);
  writeEthernetHeader(bytes, { destination, source: SENDER_MAC, etherType: options.etherType ?? 0x0800, vlanId: undefined });
  const view = new DataView(bytes.buffer, ETHERNET_BYTES);
  view.setUint8(0, ((options.version ?? 4) << 4) | words);
  view.setUint16(2, options.totalLength ?? total);
  view.setUint16(4, options.identification ?? 0);
  view.setUint8(8, options.ttl ?? 64);
  view.setUint8(9, options.protocol ?? 17);
  view.setUint32(12, ip(options.source ?? '10.100.0.10'));
  view.setUint32(16, group);
  for (let i = MIN_HEADER_BYTES; i < headerBytes; i++) view.setUint8(i, options.ipOptions?.[i - MIN_HEADER_BYTES] ?? NO_OPERATION);
  const header = bytes.subarray(ETHERNET_BYTES, ETHERNET_BYTES + headerBytes);
  view.setUint16(10, options.checksum ?? internetChecksum(header));
  for (let i = headerBytes; i < total; i++) view.setUint8(i, i & 0xff);
  if (options.firstByte !== undefined) view.setUint8(headerBytes, options.firstByte);
  return tagged(bytes, ...(options.tags ?? []));
}

/** Outermost first. */
export function tagged(data: Uint8Array, ...tags: readonly Tag[]): Uint8Array {
  const words = tags.flatMap(({ type = 0x8100, tci }) => [type >> 8, type & 0xff, tci >> 8, tci & 0xff]);
  return Uint8Array.from([...data.subarray(0, ADDRESSES_BYTES), ...words, ...data.subarray(ADDRESSES_BYTES)]);
}

/** The same frame one hop further, its checksum worked out from the whole header. */
export function hopped(data: Uint8Array): Uint8Array {
  const bytes = data.slice();
  const header = bytes.subarray(ETHERNET_BYTES, ETHERNET_BYTES + ((data[ETHERNET_BYTES] ?? 0) & 0xf) * 4);
  const view = new DataView(header.buffer, header.byteOffset);
  view.setUint8(8, view.getUint8(8) - 1);
  view.setUint16(10, 0);
  view.setUint16(10, internetChecksum(header));
  return bytes;
}
