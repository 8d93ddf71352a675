import { parseIpv4 } from '../../../control/protocol/packet/address';
import { isMulticastMacOf, multicastMac } from '../../../control/protocol/packet/multicast-mac';

test.each([
  ['224.0.0.1', '01005e000001'],
  ['224.0.0.22', '01005e000016'],
  ['239.1.1.1', '01005e010101'],
  ['224.129.1.1', '01005e010101'],
  ['239.255.255.255', '01005e7fffff'],
])('%s is %s', (group, mac) => {
  expect(Buffer.from(multicastMac(parseIpv4(group)!)).toString('hex')).toBe(mac);
});

test.each(['10.0.0.1', '240.0.0.1', '255.255.255.255', '0.0.0.0'])('%s has none', (address) => {
  expect(() => multicastMac(parseIpv4(address)!)).toThrow(RangeError);
  expect(isMulticastMacOf(Uint8Array.of(1, 0, 0x5e, 0, 0, 1), parseIpv4(address)!)).toBe(false);
});

test('a frame address is checked in all its bits', () => {
  const group = parseIpv4('239.129.2.3')!;
  const mac = multicastMac(group);
  expect(isMulticastMacOf(mac, group)).toBe(true);
  for (let bit = 0; bit < 48; bit += 1) {
    const other = Uint8Array.from(mac);
    other[bit >> 3]! ^= 1 << (bit & 7);
    expect(isMulticastMacOf(other, group)).toBe(false);
  }
  expect(isMulticastMacOf(mac.subarray(0, 5), group)).toBe(false);
});
