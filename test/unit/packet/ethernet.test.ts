import { ETHERTYPE_IPV4, readEthernetHeader, writeEthernetHeader } from '../../../control/protocol/packet/ethernet';

const destination = Uint8Array.of(0x01, 0x00, 0x5e, 1, 1, 1);
const source = Uint8Array.of(2, 0, 0, 0, 0, 7);

function frame(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

test('an untagged header is read', () => {
  expect(readEthernetHeader(frame('01005e010101 020000000007 0800 45'))).toEqual({
    destination,
    source,
    vlanId: 0,
    etherType: ETHERTYPE_IPV4,
    headerLength: 14,
  });
});

test('a tagged header gives the VLAN without its priority, and the inner type', () => {
  expect(readEthernetHeader(frame('01005e010101 020000000007 8100 e064 0800 45'))).toMatchObject({
    vlanId: 100,
    etherType: ETHERTYPE_IPV4,
    headerLength: 18,
  });
});

test('a priority tag names no VLAN', () => {
  expect(readEthernetHeader(frame('01005e010101 020000000007 8100 e000 0800'))).toMatchObject({ vlanId: 0, headerLength: 18 });
});

test.each([
  ['nothing', ''],
  ['13 bytes', '01005e010101 020000000007 08'],
  ['a tag cut off', '01005e010101 020000000007 8100 0064 08'],
  ['an 802.3 length', '01005e010101 020000000007 0026 4242'],
  ['an 802.3 length behind a tag', '01005e010101 020000000007 8100 0064 0026'],
])('%s is no Ethernet II header', (_name, hex) => {
  expect(readEthernetHeader(frame(hex))).toBeUndefined();
});

test('untagged and tagged headers are written bit-exactly', () => {
  const plain = new Uint8Array(14);
  expect(writeEthernetHeader(plain, { destination, source, etherType: ETHERTYPE_IPV4 })).toBe(14);
  expect(plain).toEqual(frame('01005e010101 020000000007 0800'));
  const tagged = new Uint8Array(18);
  expect(writeEthernetHeader(tagged, { destination, source, etherType: ETHERTYPE_IPV4, vlanId: 4094 })).toBe(18);
  expect(tagged).toEqual(frame('01005e010101 020000000007 8100 0ffe 0800'));
});

test.each([-1, 4095, 4096, 1.5, Number.NaN])('VLAN %d does not exist', (vlanId) => {
  expect(() => writeEthernetHeader(new Uint8Array(18), { destination, source, etherType: 0x0800, vlanId })).toThrow(RangeError);
});

test('an address of another length than six is refused', () => {
  const fields = { destination, source: source.subarray(1), etherType: 0x0800 };
  expect(() => writeEthernetHeader(new Uint8Array(18), fields)).toThrow(RangeError);
});
