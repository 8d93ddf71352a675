/**
 * Little-endian words in and out of byte arrays: the layout of map keys and values on the machines the tests run on.
 */

export function u32(...words: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  words.forEach((word, index) => view.setUint32(index * 4, word, true));
  return bytes;
}

export function readU32(bytes: Uint8Array, offset = 0): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, true);
}

/** Numbers 0 … count-1 as 32-bit keys. */
export function keysUpTo(count: number): Uint8Array {
  return u32(...Array.from({ length: count }, (_, index) => index));
}

/** Splits concatenated entries. */
export function split(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: bytes.length / size }, (_, index) => bytes.slice(index * size, (index + 1) * size));
}

/** An Ethernet frame of the experimental type 0x88b5, broadcast. */
export function ethernetFrame(length = 64): Uint8Array {
  const frame = new Uint8Array(length);
  frame.fill(0xff, 0, 6);
  frame.set([0x02, 0, 0, 0, 0, 0x01, 0x88, 0xb5], 6);
  return frame;
}

/** What the call throws, which must be one of the bindings' errors. */
export function failureOf(call: () => unknown): {
  errno: number;
  code: string;
  operation: string;
  libbpfLog: string;
  message: string;
} {
  try {
    call();
  } catch (error) {
    return error as ReturnType<typeof failureOf>;
  }
  throw new Error('the call did not fail');
}
