/**
 * Puts IPv4 headers around payloads for the tests, on its own: a mistake in the codec's writer must not hide one in its reader.
 */
export interface IpPacketFields {
  readonly source?: number;
  readonly destination: number;
  readonly ttl?: number;
  readonly options?: readonly number[];
}

export function ipPacket(payload: Uint8Array, fields: IpPacketFields): Uint8Array {
  const options = Buffer.from(fields.options ?? [0x94, 4, 0, 0]);
  const header = Buffer.alloc(20);
  header.writeUInt8(0x40 + (20 + options.length) / 4, 0);
  header.writeUInt16BE(20 + options.length + payload.length, 2);
  header.writeUInt8(fields.ttl ?? 1, 8);
  header.writeUInt8(2, 9);
  header.writeUInt32BE(fields.source ?? 0x0a000002, 12);
  header.writeUInt32BE(fields.destination, 16);
  const whole = Buffer.concat([header, options]);
  whole.writeUInt16BE(plainChecksum(whole), 10);
  return new Uint8Array(Buffer.concat([whole, payload]));
}

/** Sets the checksum field of an IGMP payload. */
export function withChecksum(payload: readonly number[] | Uint8Array): Uint8Array {
  const bytes = Buffer.from(payload);
  bytes.writeUInt16BE(0, 2);
  bytes.writeUInt16BE(plainChecksum(bytes), 2);
  return new Uint8Array(bytes);
}

/** RFC 1071 §4.1, word by word. */
export function plainChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let offset = 0; offset < bytes.length; offset += 2) {
    sum += bytes[offset]! * 256 + (bytes[offset + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return 0xffff - sum;
}
