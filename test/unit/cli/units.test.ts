import { formatBitRate, formatBytes, formatCount, formatDuration, formatRate } from '../../../control/cli/units';

test.each([
  [0, '0s'],
  [450, '0.4s'],
  [9_999, '9.9s'],
  [10_000, '10s'],
  [59_999, '59s'],
  [125_000, '2m05s'],
  [3_600_000, '1h00m'],
  [90_061_000, '1d01h'],
])('%d ms is %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

test.each([
  [0n, '0'],
  [999n, '999'],
  [1000n, '1,000'],
  [2n ** 64n - 1n, '18,446,744,073,709,551,615'],
])('count %s is %s', (value, text) => expect(formatCount(value)).toBe(text));

test.each([
  [0n, '0 B'],
  [999n, '999 B'],
  [1000n, '1.00 kB'],
  [999_499n, '999 kB'],
  [999_500n, '1.00 MB'],
  [2n ** 64n - 1n, '18.4 EB'],
])('%s bytes are %s', (value, text) => expect(formatBytes(value)).toBe(text));

test.each([
  [0, '0 b/s'],
  [12_345_678, '12.3 Mb/s'],
  [99_960, '100 kb/s'],
  [0.5, '0.50 b/s'],
])('%d is %s', (value, text) => expect(formatBitRate(value)).toBe(text));

test('packets per second carry no unit', () => expect([formatRate(950), formatRate(12_300)]).toEqual(['950', '12.3 k']));
