import { decodeIgmpPacket } from '../../../control/protocol/igmp/decode';
import { buildIgmpFrame, buildIgmpPacket, encodeIgmp } from '../../../control/protocol/igmp/encode';
import type { IgmpMessage, IgmpQuery } from '../../../control/protocol/igmp/message';
import { plainChecksum } from './ip-packet';

const generalQuery: IgmpQuery = {
  kind: 'query',
  version: 3,
  group: 0,
  maxResponseTimeMs: 10_000,
  suppressRouterProcessing: false,
  querierRobustness: 2,
  querierQueryIntervalMs: 125_000,
  sources: [],
};
const source = 0x0a000001;
const destination = 0xe0000001;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test('a v3 general query as a whole packet, bit-exactly', () => {
  const packet = buildIgmpPacket({ source, destination, message: generalQuery });
  // Version 4, 24 bytes of header, TOS 0xc0, 36 bytes, id 0, DF, TTL 1, IGMP, checksum, addresses, Router Alert; then the payload.
  expect(hex(packet)).toBe('46c00024000040000102fa110a000001e0000001940400001164ec1e00000000027d0000');
});

test("the identification is the caller's when given", () => {
  const packet = buildIgmpPacket({ source, destination, message: generalQuery, identification: 0xbeef });
  expect(hex(packet.subarray(4, 6))).toBe('beef');
  expect(decodeIgmpPacket(packet)).toMatchObject({ ok: true });
});

test.each<[string, IgmpMessage, boolean]>([
  ['v1 query', { ...generalQuery, version: 1 }, false],
  ['v1 report', { kind: 'report-v1', group: 0xef010101 }, false],
  ['v2 query', { ...generalQuery, version: 2 }, true],
  ['v2 report', { kind: 'report-v2', group: 0xef010101 }, true],
  ['leave', { kind: 'leave', group: 0xef010101 }, true],
  ['v3 query', generalQuery, true],
  ['v3 report', { kind: 'report-v3', records: [] }, true],
])('%s: TTL 1, TOS 0xc0, Router Alert unless v1', (_name, message, routerAlert) => {
  const packet = buildIgmpPacket({ source, destination, message });
  expect(packet[0]).toBe(routerAlert ? 0x46 : 0x45);
  expect(packet[1]).toBe(0xc0);
  expect(packet[8]).toBe(1);
  expect(hex(packet.subarray(20, 24)) === '94040000').toBe(routerAlert);
  expect(plainChecksum(packet.subarray(0, routerAlert ? 24 : 20))).toBe(0);
});

test("a frame is the packet behind an Ethernet header to the group's address", () => {
  const sourceMac = Uint8Array.of(2, 0, 0, 0, 0, 7);
  const frame = buildIgmpFrame({ sourceMac, source, destination, message: generalQuery });
  expect(hex(frame.subarray(0, 14))).toBe('01005e0000010200000000070800');
  expect(frame.subarray(14)).toEqual(buildIgmpPacket({ source, destination, message: generalQuery }));
});

test('a frame for a VLAN carries its tag', () => {
  const sourceMac = Uint8Array.of(2, 0, 0, 0, 0, 7);
  const frame = buildIgmpFrame({ sourceMac, vlanId: 100, source, destination, message: generalQuery });
  expect(hex(frame.subarray(0, 18))).toBe('01005e000001020000000007810000640800');
  expect(frame.subarray(18)).toEqual(buildIgmpPacket({ source, destination, message: generalQuery }));
});

test('a frame to a unicast address cannot be built: its MAC is not known here', () => {
  const options = { sourceMac: new Uint8Array(6), source, destination: 0x0a000002, message: generalQuery };
  expect(() => buildIgmpFrame(options)).toThrow(RangeError);
});

test('times between two codes are rounded down', () => {
  const encoded = encodeIgmp({ ...generalQuery, maxResponseTimeMs: 13_599, querierQueryIntervalMs: 135_999 });
  expect([encoded[1], encoded[9]]).toEqual([128, 128]);
});

test('times beyond the largest code are clamped', () => {
  const encoded = encodeIgmp({ ...generalQuery, maxResponseTimeMs: 1e12, querierQueryIntervalMs: Number.POSITIVE_INFINITY });
  expect([encoded[1], encoded[9]]).toEqual([255, 255]);
});

test('a v2 query never looks like a v1 query, however short its time', () => {
  expect(encodeIgmp({ ...generalQuery, version: 2, maxResponseTimeMs: 0 })[1]).toBe(1);
  expect(encodeIgmp({ ...generalQuery, version: 2, maxResponseTimeMs: 60_000 })[1]).toBe(255);
});

test('a robustness above 7 is sent as 0 and does not touch the S flag', () => {
  expect(encodeIgmp({ ...generalQuery, querierRobustness: 8 })[8]).toBe(0);
  expect(encodeIgmp({ ...generalQuery, querierRobustness: 7, suppressRouterProcessing: true })[8]).toBe(0x0f);
});

test('what an older version has no field for is left out', () => {
  const message: IgmpQuery = { ...generalQuery, version: 2, group: 0xe8010101, sources: [0x0a000009] };
  expect(hex(encodeIgmp(message))).toBe(hex(encodeIgmp({ ...message, sources: [] })));
  expect(hex(encodeIgmp({ ...message, version: 1 }))).toBe('1100eeff00000000');
});

test('more than a packet or a count can hold is a RangeError', () => {
  const sources = Array.from({ length: 65_536 }, (_, index) => 0x0a000000 + index);
  const record = { type: 5, group: 0xe8010101 } as const;
  expect(() => encodeIgmp({ kind: 'report-v3', records: [{ ...record, sources }] })).toThrow(RangeError);
  const tooLong: IgmpMessage = { kind: 'report-v3', records: [{ ...record, sources: sources.slice(0, 16_374) }] };
  expect(() => buildIgmpPacket({ source, destination: 0xe0000016, message: tooLong })).toThrow(RangeError);
});
