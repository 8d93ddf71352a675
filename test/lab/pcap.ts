/**
 * Reads classic pcap files as tcpdump writes them: both byte orders, micro- and nanosecond stamps. Knows nothing of what is in a
 * frame.
 */

export interface CapturedFrame {
  /** Since the epoch, with the fraction the file has. */
  readonly timeUs: number;
  /** Length on the wire; `bytes` is shorter when the capture cut it. */
  readonly originalLength: number;
  readonly bytes: Uint8Array;
}

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
/** Value of the magic number in the reader's byte order, and how many of the stamp's fractions make a microsecond. */
const FRACTIONS_PER_US = new Map([
  [0xa1b2c3d4, 1],
  [0xa1b23c4d, 1000],
]);

/**
 * The frames of a file. A last record that is not complete yet is left out, for the file may still be written; anything else that
 * is not pcap throws.
 */
export function readPcap(file: Uint8Array): readonly CapturedFrame[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < FILE_HEADER_BYTES) return [];
  const isLittle = FRACTIONS_PER_US.has(view.getUint32(0, true));
  const fractionsPerUs = FRACTIONS_PER_US.get(view.getUint32(0, isLittle));
  if (fractionsPerUs === undefined) throw new Error(`not a pcap file: magic 0x${view.getUint32(0).toString(16)}`);
  const snapLength = view.getUint32(16, isLittle);

  const frames: CapturedFrame[] = [];
  let offset = FILE_HEADER_BYTES;
  while (offset + RECORD_HEADER_BYTES <= file.length) {
    const storedLength = view.getUint32(offset + 8, isLittle);
    if (storedLength > snapLength)
      throw new Error(`pcap record at ${offset}: ${storedLength} bytes, over the limit of ${snapLength}`);
    const start = offset + RECORD_HEADER_BYTES;
    if (start + storedLength > file.length) break;
    frames.push({
      timeUs: view.getUint32(offset, isLittle) * 1e6 + view.getUint32(offset + 4, isLittle) / fractionsPerUs,
      originalLength: view.getUint32(offset + 12, isLittle),
      bytes: file.subarray(start, start + storedLength),
    });
    offset = start + storedLength;
  }
  return frames;
}
