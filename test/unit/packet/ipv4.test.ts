import { readIpv4Header, writeIpv4Header, type Ipv4Fields } from '../../../control/protocol/packet/ipv4';

const fields: Ipv4Fields = {
  payloadLength: 8,
  typeOfService: 0xc0,
  identification: 0x1234,
  dontFragment: true,
  ttl: 1,
  protocol: 2,
  source: 0xdf000001,
  destination: 0xe0000016,
  options: Uint8Array.of(0x94, 4, 0, 0),
};

function written(overrides: Partial<Ipv4Fields> = {}): Uint8Array {
  const all = { ...fields, ...overrides };
  const packet = new Uint8Array(20 + all.options.length + all.payloadLength);
  writeIpv4Header(packet, all);
  return packet;
}

test('a header is written bit-exactly, checksum included', () => {
  const packet = written();
  expect(Buffer.from(packet.subarray(0, 24)).toString('hex')).toBe('46c0002012344000010212ccdf000001e000001694040000');
});

test('what was written is read back', () => {
  const { payloadLength, ...rest } = fields;
  expect(readIpv4Header(written())).toEqual({
    ...rest,
    headerLength: 24,
    totalLength: 24 + payloadLength,
    moreFragments: false,
    fragmentOffset: 0,
  });
});

test('a checksum field that held something before does not spoil the new checksum', () => {
  const packet = written();
  writeIpv4Header(packet, fields);
  expect(packet).toEqual(written());
});

test('options are a slice of the packet, empty without any', () => {
  const packet = written({ options: new Uint8Array(40).fill(1) });
  expect(readIpv4Header(packet)).toMatchObject({ headerLength: 60, options: packet.subarray(20, 60) });
  expect(readIpv4Header(written({ options: new Uint8Array(0) }))).toMatchObject({ headerLength: 20, options: new Uint8Array(0) });
});

test('fragment offset is in bytes, apart from its flags', () => {
  const packet = Buffer.from(written());
  packet.writeUInt16BE(0x2000 | 0x1fff, 6);
  packet.writeUInt16BE(0, 10);
  let sum = 0;
  for (let offset = 0; offset < 24; offset += 2) sum += packet.readUInt16BE(offset);
  packet.writeUInt16BE(~((sum & 0xffff) + (sum >>> 16)) & 0xffff, 10);
  expect(readIpv4Header(packet)).toMatchObject({ moreFragments: true, dontFragment: false, fragmentOffset: 65_528 });
});

test('a packet inside a larger buffer is read at its own offset, and may be followed by padding', () => {
  const pool = new Uint8Array(100).fill(0xaa);
  pool.set(written(), 17);
  expect(readIpv4Header(pool.subarray(17))).toMatchObject({ totalLength: 32, source: 0xdf000001 });
});

test.each([
  ['options of 3 bytes', { options: new Uint8Array(3) }],
  ['options of 44 bytes', { options: new Uint8Array(44) }],
  ['a packet of 65536 bytes', { payloadLength: 65_512 }],
])('%s cannot be written', (_name, overrides) => {
  expect(() => written(overrides)).toThrow(RangeError);
});

test('65535 bytes can', () => {
  expect(readIpv4Header(written({ payloadLength: 65_511 }))).toMatchObject({ totalLength: 65_535 });
});
