/** Arithmetic of bench:igmp: what counts as handled, and what a target is held against. */
import { handled, heldAgainstTargets, perCpuSecond, type Cell } from '../../bench/igmp/results';

const JOIN: Cell = {
  router: 'xmcast',
  version: 3,
  change: 'join',
  offered: 100_000,
  recordsPerReport: 100,
  offeredPerSecond: 50_000,
  known: 100_000,
  routes: 100_000,
  lostMessages: 0,
  cpuMs: 1000,
  wallMs: 2000,
  residentBytes: 250e6,
  grownBytes: 150e6,
};

test('joins are counted by what the router knows, refreshes by the messages that were not lost', () => {
  expect(handled({ ...JOIN, known: 90_000, lostMessages: 3 })).toBe(90_000);
  expect(handled({ ...JOIN, change: 'refresh', lostMessages: 30 })).toBe(97_000);
  expect(perCpuSecond({ ...JOIN, cpuMs: 500 })).toBe(200_000);
});

test('fast enough and nothing lost meets the target; fast with losses does not', () => {
  const [rate, memory] = heldAgainstTargets([JOIN]);
  expect(rate).toMatchObject({ met: true, measured: '100000' });
  expect(memory).toMatchObject({ met: true, measured: '250 MB' });
  expect(heldAgainstTargets([{ ...JOIN, known: 99_999 }])).toMatchObject([{ met: false }]);
  expect(heldAgainstTargets([{ ...JOIN, cpuMs: 3000 }])[0]).toMatchObject({ met: false });
  expect(heldAgainstTargets([{ ...JOIN, residentBytes: 301e6 }])[1]).toMatchObject({ met: false });
});

test("targets are xmcast's, with as many groups as it was offered at most", () => {
  expect(heldAgainstTargets([{ ...JOIN, router: 'FRR' }])).toEqual([]);
  expect(heldAgainstTargets([{ ...JOIN, offered: 10_000, known: 10_000 }, JOIN])).toHaveLength(2);
});
