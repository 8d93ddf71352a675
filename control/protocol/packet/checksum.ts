/**
 * The internet checksum (RFC 1071).
 * Owns the arithmetic only: where a checksum field lies in a header, and what a wrong one means, is the caller's business.
 */

/**
 * One's complement of the one's complement sum of the bytes, an odd last byte padded with zero.
 * Over data that already holds its checksum the result is 0 exactly when that checksum is right.
 */
export function internetChecksum(bytes: Uint8Array): number {
  // High and low bytes are summed apart: no shift per word, and both sums stay small integers for any IP packet.
  let high = 0;
  let low = 0;
  const evenLength = bytes.length & ~1;
  for (let offset = 0; offset < evenLength; offset += 2) {
    high += bytes[offset] as number;
    low += bytes[offset + 1] as number;
  }
  if (evenLength < bytes.length) high += bytes[evenLength] as number;
  return ~foldCarries(high * 0x100 + low) & 0xffff;
}

function foldCarries(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
  return folded;
}
