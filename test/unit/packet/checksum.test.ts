import { internetChecksum } from '../../../control/protocol/packet/checksum';

test('the example of RFC 1071 §3', () => {
  expect(internetChecksum(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7))).toBe(~0xddf2 & 0xffff);
});

test('an odd last byte counts as the high byte of a word', () => {
  expect(internetChecksum(Uint8Array.of(0x12))).toBe(~0x1200 & 0xffff);
});

test('no bytes sum to zero', () => {
  expect(internetChecksum(new Uint8Array(0))).toBe(0xffff);
});

test('data with its checksum inside gives 0, with any one bit flipped it does not', () => {
  const data = Buffer.from('1164000000000000027d0000', 'hex');
  data.writeUInt16BE(internetChecksum(data), 2);
  expect(internetChecksum(data)).toBe(0);
  for (let bit = 0; bit < data.length * 8; bit += 1) {
    const broken = Buffer.from(data);
    broken[bit >> 3]! ^= 1 << (bit & 7);
    expect(internetChecksum(broken)).not.toBe(0);
  }
});

test('carries of the longest packet are all folded', () => {
  expect(internetChecksum(new Uint8Array(65_535).fill(0xff))).toBe(0x00ff);
  expect(internetChecksum(new Uint8Array(65_534).fill(0xff))).toBe(0);
});

test('only the slice is summed, not the buffer behind it', () => {
  const pool = new Uint8Array([9, 9, 0x11, 0x22, 9]);
  expect(internetChecksum(pool.subarray(2, 4))).toBe(~0x1122 & 0xffff);
});
