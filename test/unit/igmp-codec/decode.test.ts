import { decodeIgmpPacket } from '../../../control/protocol/igmp/decode';
import type { IgmpMessage } from '../../../control/protocol/igmp/message';
import { ipPacket, withChecksum } from './ip-packet';

const ALL_SYSTEMS = 0xe0000001;
const ALL_V3_ROUTERS = 0xe0000016;

function messageOf(packet: Uint8Array): IgmpMessage {
  const decoded = decodeIgmpPacket(packet);
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value.message;
}

/** One ALLOW record for 232.1.1.1. */
function allowReport(sources: readonly number[]): Uint8Array {
  const payload = Buffer.alloc(16 + sources.length * 4);
  payload.set([0x22, 0, 0, 0, 0, 0, 0, 1, 5, 0]);
  payload.writeUInt16BE(sources.length, 10);
  payload.writeUInt32BE(0xe8010101, 12);
  sources.forEach((source, index) => payload.writeUInt32BE(source, 16 + index * 4));
  return withChecksum(payload);
}

test('addresses and Router Alert of the header come with the message', () => {
  const leave = withChecksum([0x17, 0, 0, 0, 239, 1, 1, 1]);
  expect(decodeIgmpPacket(ipPacket(leave, { source: 0xdf000001, destination: 0xe0000002 }))).toEqual({
    ok: true,
    value: {
      source: 0xdf000001,
      destination: 0xe0000002,
      routerAlert: true,
      message: { kind: 'leave', group: 0xef010101 },
      skipped: [],
    },
  });
});

test('a missing Router Alert is reported, not refused', () => {
  const report = withChecksum([0x12, 0, 0, 0, 239, 1, 1, 1]);
  expect(decodeIgmpPacket(ipPacket(report, { destination: 0xef010101, options: [] }))).toMatchObject({
    value: { routerAlert: false },
  });
});

test('Router Alert behind padding is found', () => {
  const report = withChecksum([0x16, 0, 0, 0, 239, 1, 1, 1]);
  const packet = ipPacket(report, { destination: 0xef010101, options: [1, 1, 1, 1, 0x94, 4, 0, 0] });
  expect(decodeIgmpPacket(packet)).toMatchObject({ value: { routerAlert: true } });
});

test('the three query versions are told apart by length and code', () => {
  const versionOf = (bytes: number[]) => messageOf(ipPacket(withChecksum(bytes), { destination: ALL_SYSTEMS }));
  expect(versionOf([0x11, 0, 0, 0, 0, 0, 0, 0])).toMatchObject({ version: 1, maxResponseTimeMs: 10_000 });
  expect(versionOf([0x11, 1, 0, 0, 0, 0, 0, 0])).toMatchObject({ version: 2, maxResponseTimeMs: 100 });
  expect(versionOf([0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])).toMatchObject({ version: 3, maxResponseTimeMs: 0 });
});

test('the code of a v2 query is linear where that of a v3 query is not', () => {
  const v2 = withChecksum([0x11, 200, 0, 0, 0, 0, 0, 0]);
  const v3 = withChecksum([0x11, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  expect(messageOf(ipPacket(v2, { destination: ALL_SYSTEMS }))).toMatchObject({ maxResponseTimeMs: 20_000 });
  expect(messageOf(ipPacket(v3, { destination: ALL_SYSTEMS }))).toMatchObject({ maxResponseTimeMs: 307_200 });
});

test('a packet in the middle of a larger buffer is read there', () => {
  const packet = ipPacket(allowReport([0x0a000009]), { destination: ALL_V3_ROUTERS });
  const pool = new Uint8Array(packet.length + 50).fill(0xff);
  pool.set(packet, 23);
  expect(messageOf(pool.subarray(23))).toEqual(messageOf(packet));
});

test('the result does not change when the caller reuses the buffer', () => {
  const packet = ipPacket(allowReport([0x0a000009]), { destination: ALL_V3_ROUTERS });
  const message = messageOf(packet);
  packet.fill(0);
  expect(message).toEqual({ kind: 'report-v3', records: [{ type: 5, group: 0xe8010101, sources: [0x0a000009] }] });
});

test.each([3, 17, 400])('of %d sources, each sent twice, every one is kept once in its first place', (count) => {
  const sources = Array.from({ length: count }, (_, index) => 0x0a000000 + ((index * 7) % count) + 1);
  const report = messageOf(ipPacket(allowReport([...sources, ...sources]), { destination: ALL_V3_ROUTERS }));
  expect(report).toMatchObject({ records: [{ sources }] });
});

test('a duplicate is found in any order of the sources', () => {
  const kept = (sources: number[]) => messageOf(ipPacket(allowReport(sources), { destination: ALL_V3_ROUTERS }));
  const [a, b, c] = [0x0a000001, 0x0a000002, 0xdf000003];
  expect(kept([a, b, c, b])).toMatchObject({ records: [{ sources: [a, b, c] }] });
  expect(kept([c, b, a, a, b, c])).toMatchObject({ records: [{ sources: [c, b, a] }] });
  expect(kept([b, a, c, c, a])).toMatchObject({ records: [{ sources: [b, a, c] }] });
});

test('the longest possible packet is one record of 16,373 sources', () => {
  const sources = Array.from({ length: 16_373 }, (_, index) => 0x0b000000 + index);
  expect(messageOf(ipPacket(allowReport(sources), { destination: ALL_V3_ROUTERS }))).toMatchObject({ records: [{ sources }] });
});

test('the longest possible packet full of records', () => {
  const payload = Buffer.alloc(65_504);
  payload.set([0x22, 0, 0, 0, 0, 0]);
  payload.writeUInt16BE(8_187, 6);
  for (let record = 0; record < 8_187; record += 1) {
    payload.writeUInt8(4, 8 + record * 8);
    payload.writeUInt32BE(0xef000000 + record, 12 + record * 8);
  }
  const report = messageOf(ipPacket(withChecksum(payload), { destination: ALL_V3_ROUTERS }));
  expect(report.kind === 'report-v3' && report.records.map((record) => record.group)).toEqual(
    Array.from({ length: 8_187 }, (_, index) => 0xef000000 + index),
  );
});
