import {
  formatIpv4,
  formatPrefix,
  isLocalNetworkControl,
  isMulticast,
  isUnicastSource,
  parseIpv4,
  parsePrefix,
  prefixContains,
  prefixMask,
} from '../../../control/protocol/packet/address';

test.each(['0.0.0.0', '10.0.0.1', '127.255.255.255', '239.1.1.1', '255.255.255.255'])(
  '%s survives parsing and formatting',
  (text) => {
    expect(formatIpv4(parseIpv4(text)!)).toBe(text);
  },
);

test.each(['', '1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', '1.2.3.4 ', '1.2.3.-4', '1.2.3.0x4', '1..2.3', '::1'])(
  '"%s" is no address',
  (text) => {
    expect(parseIpv4(text)).toBeUndefined();
  },
);

test('prefixes at both ends of the length', () => {
  expect(prefixMask(0)).toBe(0);
  expect(prefixMask(32)).toBe(0xffffffff);
  expect(prefixContains(parsePrefix('0.0.0.0/0')!, 0xffffffff)).toBe(true);
  expect(prefixContains(parsePrefix('232.0.0.0/8')!, parseIpv4('232.255.0.1')!)).toBe(true);
  expect(prefixContains(parsePrefix('232.0.0.0/8')!, parseIpv4('233.0.0.0')!)).toBe(false);
  expect(formatPrefix(parsePrefix('10.0.0.1')!)).toBe('10.0.0.1/32');
});

test.each(['10.0.0.1/24', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/08', '10.0.0.0/8/8', 'x/8'])('"%s" is no prefix', (text) => {
  expect(parsePrefix(text)).toBeUndefined();
});

test('the borders of the address classes', () => {
  const all = (predicate: (address: number) => boolean, ...texts: string[]) => texts.map((text) => predicate(parseIpv4(text)!));
  expect(all(isMulticast, '223.255.255.255', '224.0.0.0', '239.255.255.255', '240.0.0.0')).toEqual([false, true, true, false]);
  expect(all(isLocalNetworkControl, '224.0.0.0', '224.0.0.255', '224.0.1.0', '225.0.0.1')).toEqual([true, true, false, false]);
  expect(
    all(isUnicastSource, '0.0.0.1', '1.0.0.0', '126.255.255.255', '127.0.0.1', '128.0.0.0', '223.255.255.255', '224.0.0.0'),
  ).toEqual([false, true, true, false, true, true, false]);
});
