import fc from 'fast-check';
import { internetChecksum } from '../../../control/protocol/packet/checksum';
import { withFinishedChecksum } from '../../../control/protocol/packet/udp-checksum';

const [ETHERNET, IP, UDP] = [14, 20, 8];
const CHECKSUM = ETHERNET + IP + 6;

function datagram(payload: Uint8Array): { frame: Buffer; pseudo: number; right: number } {
  const frame = Buffer.alloc(ETHERNET + IP + UDP + payload.length);
  frame.writeUInt16BE(0x0800, 12);
  frame[ETHERNET] = 0x45;
  frame.writeUInt16BE(IP + UDP + payload.length, ETHERNET + 2);
  frame[ETHERNET + 8] = 9;
  frame[ETHERNET + 9] = 17;
  frame.set([10, 1, 2, 3, 239, 1, 1, 1], ETHERNET + 12);
  frame.writeUInt16BE(5000, ETHERNET + IP);
  frame.writeUInt16BE(5001, ETHERNET + IP + 2);
  frame.writeUInt16BE(UDP + payload.length, ETHERNET + IP + 4);
  frame.set(payload, ETHERNET + IP + UDP);
  const pseudoHeader = Buffer.from([...frame.subarray(ETHERNET + 12, ETHERNET + 20), 0, 17, ...frame.subarray(ETHERNET + IP + 4, ETHERNET + IP + 6)]);
  const right = internetChecksum(Buffer.concat([pseudoHeader, frame.subarray(ETHERNET + IP)])) || 0xffff;
  return { frame, pseudo: ~internetChecksum(pseudoHeader) & 0xffff, right };
}

test('a checksum that holds the sum of the pseudo header alone is finished, and the frame that was given stays as it was', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (payload) => {
      const { frame, pseudo, right } = datagram(payload);
      frame.writeUInt16BE(pseudo, CHECKSUM);
      const finished = Buffer.from(withFinishedChecksum(frame));
      expect(finished.readUInt16BE(CHECKSUM)).toBe(right);
      expect(frame.readUInt16BE(CHECKSUM)).toBe(pseudo);
      finished.writeUInt16BE(pseudo, CHECKSUM);
      expect(finished.equals(frame)).toBe(true);
    }),
  );
});

test.each([
  ['a finished one', (frame: Buffer, right: number) => frame.writeUInt16BE(right, CHECKSUM)],
  ['a wrong one', (frame: Buffer) => frame.writeUInt16BE(1, CHECKSUM)],
  ['none', (frame: Buffer) => frame.writeUInt16BE(0, CHECKSUM)],
])('left as it is: %s', (_, write) => {
  const { frame, right } = datagram(Uint8Array.of(1, 2, 3, 4));
  write(frame, right);
  expect(withFinishedChecksum(frame)).toBe(frame);
});

test('left as it is: a fragment, another protocol, a header with options, and what is cut off', () => {
  const unfinished = (change: (frame: Buffer) => Buffer): void => {
    const { frame, pseudo } = datagram(new Uint8Array(40));
    frame.writeUInt16BE(pseudo, CHECKSUM);
    const changed = change(frame);
    expect(withFinishedChecksum(changed)).toBe(changed);
  };
  unfinished((frame) => (frame.writeUInt16BE(0x2000, ETHERNET + 6), frame));
  unfinished((frame) => ((frame[ETHERNET + 9] = 103), frame));
  unfinished((frame) => ((frame[ETHERNET] = 0x46), frame));
  for (let length = 0; length < ETHERNET + IP + UDP + 40; length++) unfinished((frame) => frame.subarray(0, length));
});
