/**
 * Big-endian access to a slice of bytes. Exists because `new DataView(bytes.buffer)` alone forgets the slice's offset:
 * every Buffer of Node may be a window into a larger pool.
 */
export function dataViewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
