/** The pcap reader, on files written here byte by byte. */
import { readPcap } from '../../lab/pcap';

interface Record {
  readonly seconds: number;
  readonly fraction: number;
  readonly bytes: readonly number[];
  readonly originalLength?: number;
}

function pcapFile(options: { magic: number; isLittle: boolean; records: readonly Record[] }): Buffer {
  const word = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    if (options.isLittle) bytes.writeUInt32LE(value);
    else bytes.writeUInt32BE(value);
    return bytes;
  };
  // Magic, version 2.4, zone and accuracy (both always 0), snap length, link type Ethernet.
  const version = options.isLittle ? Buffer.from([2, 0, 4, 0]) : Buffer.from([0, 2, 0, 4]);
  const header = [word(options.magic), version, word(0), word(0), word(262_144), word(1)];
  const records = options.records.flatMap((r) => [
    word(r.seconds),
    word(r.fraction),
    word(r.bytes.length),
    word(r.originalLength ?? r.bytes.length),
    Buffer.from(r.bytes),
  ]);
  return Buffer.concat([...header, ...records]);
}

const MICROSECONDS = 0xa1b2c3d4;
const NANOSECONDS = 0xa1b23c4d;
const TWO_RECORDS = [
  { seconds: 1_700_000_000, fraction: 250_000, bytes: [1, 2, 3] },
  { seconds: 1_700_000_001, fraction: 0, bytes: [4, 5], originalLength: 1500 },
];

describe.each([
  ['little-endian', true],
  ['big-endian', false],
])('%s files', (_, isLittle) => {
  test('give every frame with its time and both lengths', () => {
    const frames = readPcap(pcapFile({ magic: MICROSECONDS, isLittle, records: TWO_RECORDS }));
    expect(frames.map((f) => [f.timeUs, f.originalLength, [...f.bytes]])).toEqual([
      [1_700_000_000_250_000, 3, [1, 2, 3]],
      [1_700_000_001_000_000, 1500, [4, 5]],
    ]);
  });

  test('with nanosecond stamps give the same times', () => {
    const records = [{ seconds: 10, fraction: 1500, bytes: [9] }];
    expect(readPcap(pcapFile({ magic: NANOSECONDS, isLittle, records }))[0]?.timeUs).toBe(10_000_001.5);
  });
});

test('a file still being written gives the records that are whole, wherever it is cut', () => {
  const file = pcapFile({ magic: MICROSECONDS, isLittle: true, records: TWO_RECORDS });
  const wholeAt = [24 + 16 + 3, 24 + 16 + 3 + 16 + 2];
  for (let length = 0; length <= file.length; length++) {
    expect(readPcap(file.subarray(0, length))).toHaveLength(wholeAt.filter((end) => end <= length).length);
  }
});

test('a file of another kind is refused', () => {
  expect(() => readPcap(Buffer.alloc(24, 0x0a))).toThrow('not a pcap file: magic 0xa0a0a0a');
});

test('a record longer than the file allows is refused instead of read as the end', () => {
  const file = pcapFile({ magic: MICROSECONDS, isLittle: true, records: TWO_RECORDS });
  file.writeUInt32LE(300_000, 24 + 8);
  expect(() => readPcap(file)).toThrow('pcap record at 24: 300000 bytes, over the limit of 262144');
});
