/** Keys and values of maps that are plain 32-bit numbers, in the host's byte order. */
import { endianness } from 'node:os';

const LITTLE_ENDIAN = endianness() === 'LE';

export function u32Key(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, LITTLE_ENDIAN);
  return bytes;
}

/** Concatenated, as batch operations want them. */
export function u32Keys(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => view.setUint32(i * 4, value, LITTLE_ENDIAN));
  return bytes;
}

export function readU32(bytes: Uint8Array, index: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(index * 4, LITTLE_ENDIAN);
}
