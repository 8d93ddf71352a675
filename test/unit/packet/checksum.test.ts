import fc from 'fast-check';
import { internetChecksum, updateChecksum } from '../../../control/protocol/packet/checksum';

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

test('the example of RFC 1624 §4', () => {
  expect(updateChecksum(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
});

test('updating one word equals computing anew', () => {
  const header = fc.uint8Array({ minLength: 20, maxLength: 20 });
  fc.assert(
    fc.property(header, fc.nat(9), fc.nat(0xffff), (bytes, word, newWord) => {
      // A header has a version: it is never all zero, the one case in which the two zeros of one's complement differ.
      bytes[0] = 0x45;
      fc.pre(word !== 0);
      const before = Buffer.from(bytes);
      const after = Buffer.from(bytes);
      after.writeUInt16BE(newWord, word * 2);
      expect(updateChecksum(internetChecksum(before), before.readUInt16BE(word * 2), newWord)).toBe(internetChecksum(after));
    }),
  );
});
