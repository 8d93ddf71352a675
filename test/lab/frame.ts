/**
 * The fields of a captured frame that tests of a multicast router look at. Lenient: what is not there is undefined; nothing is
 * verified but the IPv4 header checksum. Not the product's codec, so that a mistake in one does not hide behind the same mistake
 * in the other.
 */

export interface FrameFields {
  readonly destinationMac: string;
  readonly sourceMac: string;
  /** Outermost 802.1Q tag. */
  readonly vlan?: number;
  readonly etherType: number;
  readonly ipv4?: Ipv4Fields;
}

export interface Ipv4Fields {
  readonly source: string;
  readonly destination: string;
  readonly ttl: number;
  readonly protocol: number;
  readonly totalLength: number;
  readonly isChecksumGood: boolean;
  /** After the header and its options, up to the total length. */
  readonly payload: Uint8Array;
}

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_VLAN = 0x8100;

/** Throws when there is no whole Ethernet header. */
export function frameFields(frame: Uint8Array): FrameFields {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  const isTagged = bytes.readUInt16BE(12) === ETHERTYPE_VLAN;
  const typeAt = isTagged ? 16 : 12;
  const etherType = bytes.readUInt16BE(typeAt);
  const ipv4 = etherType === ETHERTYPE_IPV4 ? ipv4Fields(bytes.subarray(typeAt + 2)) : undefined;
  return {
    destinationMac: macText(bytes.subarray(0, 6)),
    sourceMac: macText(bytes.subarray(6, 12)),
    ...(isTagged ? { vlan: bytes.readUInt16BE(14) & 0xfff } : {}),
    etherType,
    ...(ipv4 === undefined ? {} : { ipv4 }),
  };
}

function ipv4Fields(packet: Buffer): Ipv4Fields | undefined {
  if (packet.length < 20) return undefined;
  const headerLength = (packet.readUInt8(0) & 15) * 4;
  const totalLength = packet.readUInt16BE(2);
  return {
    source: packet.subarray(12, 16).join('.'),
    destination: packet.subarray(16, 20).join('.'),
    ttl: packet.readUInt8(8),
    protocol: packet.readUInt8(9),
    totalLength,
    isChecksumGood: onesComplementSum(packet.subarray(0, headerLength)) === 0xffff,
    payload: packet.subarray(headerLength, totalLength),
  };
}

function macText(octets: Uint8Array): string {
  return [...octets].map((octet) => octet.toString(16).padStart(2, '0')).join(':');
}

function onesComplementSum(bytes: Uint8Array): number {
  let sum = 0;
  for (const [at, byte] of bytes.entries()) sum += at % 2 === 0 ? byte << 8 : byte;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}
