/**
 * Reads the type-length-value attributes of netlink messages. Every length is checked before a byte is read; nothing here throws.
 * Never knows what an attribute means.
 */
import { HOST_LITTLE_ENDIAN } from './constants';

/** By attribute type without its flag bits. Of a type that comes twice the last counts, as in the kernel's own parser. */
export type Attributes = ReadonlyMap<number, Uint8Array>;

const HEADER_BYTES = 4;
/** Without NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const TYPE_MASK = 0x3fff;

export function align4(length: number): number {
  return (length + 3) & ~3;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** undefined when an attribute is shorter than its header or longer than what is left. */
export function readAttributes(bytes: Uint8Array): Attributes | undefined {
  const attributes = new Map<number, Uint8Array>();
  const view = viewOf(bytes);
  let offset = 0;
  while (bytes.length - offset >= HEADER_BYTES) {
    const length = view.getUint16(offset, HOST_LITTLE_ENDIAN);
    if (length < HEADER_BYTES || length > bytes.length - offset) return undefined;
    const type = view.getUint16(offset + 2, HOST_LITTLE_ENDIAN) & TYPE_MASK;
    attributes.set(type, bytes.subarray(offset + HEADER_BYTES, offset + length));
    offset += align4(length);
  }
  return attributes;
}

/** A u32 in host order; undefined when absent or not 4 bytes long. */
export function attributeU32(attributes: Attributes, type: number): number | undefined {
  const value = attributes.get(type);
  return value?.length === 4 ? viewOf(value).getUint32(0, HOST_LITTLE_ENDIAN) : undefined;
}

/** A u16 in host order; undefined when absent or not 2 bytes long. */
export function attributeU16(attributes: Attributes, type: number): number | undefined {
  const value = attributes.get(type);
  return value?.length === 2 ? viewOf(value).getUint16(0, HOST_LITTLE_ENDIAN) : undefined;
}

/** An IPv4 address, which netlink carries in network order; undefined when absent or not 4 bytes long. */
export function attributeIpv4(attributes: Attributes, type: number): number | undefined {
  const value = attributes.get(type);
  return value?.length === 4 ? viewOf(value).getUint32(0, false) : undefined;
}

/** Text up to its terminating zero; undefined when absent. */
export function attributeText(attributes: Attributes, type: number): string | undefined {
  const value = attributes.get(type);
  if (value === undefined) return undefined;
  const end = value.indexOf(0);
  return Buffer.from(end < 0 ? value : value.subarray(0, end)).toString('utf8');
}
