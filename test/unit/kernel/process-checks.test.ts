/**
 * Which capabilities are reported as missing, by the effective set of /proc/self/status.
 */
import { missingCapabilities } from '../../../control/kernel/process-checks';

const status =
  (mask: string): (() => string) =>
  () =>
    `Name:\tnode\nCapPrm:\tffffffffffffffff\nCapEff:\t${mask}\nCapBnd:\tffffffffffffffff\n`;
const bits = (...numbers: readonly number[]): string =>
  numbers
    .reduce((mask, bit) => mask | (1n << BigInt(bit)), 0n)
    .toString(16)
    .padStart(16, '0');

test.each<[string, string, readonly string[]]>([
  ['nothing', bits(), ['CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_BPF', 'CAP_PERFMON']],
  ['all of root', '000001ffffffffff', []],
  ['exactly what is needed', bits(12, 13, 38, 39), []],
  ['CAP_SYS_ADMIN in the place of CAP_BPF and CAP_PERFMON', bits(12, 13, 21), []],
  ['no CAP_NET_RAW', bits(12, 38, 39), ['CAP_NET_RAW']],
  ['no CAP_PERFMON', bits(12, 13, 39), ['CAP_PERFMON']],
  [
    'everything but what is needed',
    (0xffffffffffffffffn & ~BigInt(`0x${bits(12, 13, 21, 38, 39)}`)).toString(16),
    ['CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_BPF', 'CAP_PERFMON'],
  ],
])('with %s', (_, mask, missing) => {
  expect(missingCapabilities(status(mask))).toEqual(missing);
});

test('a status without the line is a coded error', () => {
  expect(() => missingCapabilities(() => 'Name:\tnode\n')).toThrow(expect.objectContaining({ code: 'XM_PRIVILEGE' }));
});

test('the status of this process can be read', () => {
  expect(Array.isArray(missingCapabilities())).toBe(true);
});
