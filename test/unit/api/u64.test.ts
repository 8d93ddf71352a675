import { xmcast } from '#proto';
import fc from 'fast-check';

import { fromWire, fromWireMap, toWire, toWireMap } from '../../../control/api/u64';
import { fromWireTime, toWireTime } from '../../../control/api/wire-time';

test('every unsigned 64-bit number survives the wire', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (value) => {
      const bytes = xmcast.v1.Flow.encode({ packets: toWire(value), bytes: toWire(value) }).finish();
      expect(fromWire(xmcast.v1.Flow.decode(bytes).packets)).toBe(value);
    }),
  );
});

test.each([-1n, 2n ** 64n])('%s is refused rather than wrapped', (value) => {
  expect(() => toWire(value)).toThrow(RangeError);
});

test('absent is zero, small numbers may come as number', () => {
  expect([fromWire(undefined), fromWire(null), fromWire(7)]).toEqual([0n, 0n, 7n]);
});

test('counter maps keep their keys, whatever they are called', () => {
  const counters = new Map([
    ['ttl', 1n],
    ['__proto__', 2n],
    ['constructor', 2n ** 63n],
  ]);
  expect(fromWireMap(toWireMap(counters))).toEqual(counters);
});

test.each([0, 1, 999, 1000, 1_700_000_000_123])('%d ms survives as a time', (ms) => {
  expect(fromWireTime(toWireTime(ms))).toBe(ms);
});

test('a timer that has just run out shows zero', () => {
  expect(fromWireTime(toWireTime(-3))).toBe(0);
});
