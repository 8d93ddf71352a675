import { parseIpv4 } from '../../../control/protocol/packet/address';
import { multicastMac } from '../../../control/protocol/packet/multicast-mac';

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
});
