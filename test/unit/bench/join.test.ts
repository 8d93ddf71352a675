/** Arithmetic of bench:join. */
import { heldAgainstTargets, spreadMs, type Row } from '../../bench/join/results';

const ROW: Row = {
  router: 'xmcast',
  method: 'unknown',
  trials: 200,
  missing: 0,
  passed: 0,
  delayMs: { p50: 0.5, p99: 1.9, max: 3 },
};

test('the 99 % value is one that 99 of 100 do not exceed', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => (100 - i) * 1e6);
  expect(spreadMs(hundred)).toEqual({ p50: 50, p99: 99, max: 100 });
  expect(spreadMs([7e6])).toEqual({ p50: 7, p99: 7, max: 7 });
  expect(spreadMs([])).toBeNull();
});

test('a join that never came misses the target however fast the others were', () => {
  expect(heldAgainstTargets([ROW])).toMatchObject([{ met: true }]);
  expect(heldAgainstTargets([{ ...ROW, missing: 1 }])).toMatchObject([{ met: false }]);
  expect(heldAgainstTargets([{ ...ROW, delayMs: null }])).toMatchObject([{ met: false }]);
  expect(heldAgainstTargets([{ ...ROW, delayMs: { p50: 1, p99: 2, max: 2 } }])).toMatchObject([{ met: false }]);
});

test('neither peers nor leaves are held against the target', () => {
  expect(
    heldAgainstTargets([
      { ...ROW, router: 'FRR' },
      { ...ROW, method: 'leave' },
    ]),
  ).toEqual([]);
});
