import { agedMembership, agedNeighbor, agedRoute } from '../../../control/cli/aging';
import { LiveList } from '../../../control/cli/live-list';
import { fromWireTime } from '../../../control/api/wire-time';
import type { CliIo } from '../../../control/cli/run';
import { ip, membershipState, neighborState, reportState, routeState } from '../api/fake-state';
import { CliUnderTest } from './cli-under-test';

test('a list that follows: reset, put, taken out; complete when it says so', () => {
  let nowMs = 0;
  const list = new LiveList<{ name: string; age: number }>({ keyOf: ({ name }) => name, aged: (item, byMs) => ({ ...item, age: item.age + byMs }), nowMs: () => nowMs });
  expect(list.take({ progress: { reset: true }, items: [{ name: 'a', age: 0 }], removed: [] })).toBe(false);
  expect(list.take({ progress: { synced: true }, items: [{ name: 'b', age: 5 }], removed: [] })).toBe(true);
  nowMs = 100;
  list.take({ progress: { synced: true }, items: [{ name: 'a', age: 1 }], removed: ['c'] });
  expect(list.items()).toEqual([{ name: 'a', age: 1 }, { name: 'b', age: 105 }]);
  list.take({ progress: { synced: true }, items: [], removed: ['a'] });
  expect(list.items().map(({ name }) => name)).toEqual(['b']);
  list.take({ progress: { reset: true, synced: true }, items: [], removed: [] });
  expect(list.items()).toEqual([]);
});

test('entries grow older: ages up, time left down, not below nothing, and what is absent stays absent', () => {
  expect(fromWireTime(agedRoute({ age: { seconds: 5 } }, 1500).age)).toBe(6500);
  const aged = agedMembership(
    { age: { seconds: 1 }, expiresIn: { seconds: 1 }, sources: [{ source: 's', expiresIn: { seconds: 9 } }], hosts: [{ address: 'h', age: { seconds: 0 }, lastReportAge: { seconds: 3 } }] },
    2000,
  );
  expect([aged.age, aged.expiresIn, aged.sources?.[0]?.expiresIn, aged.hosts?.[0]?.age, aged.hosts?.[0]?.lastReportAge].map((time) => fromWireTime(time))).toEqual([3000, 0, 7000, 2000, 5000]);
  const neighbor = agedNeighbor({ age: { seconds: 5 }, lastHeardAge: { seconds: 1 }, expiresIn: { seconds: 9 } }, 2000);
  expect([neighbor.age, neighbor.lastHeardAge, neighbor.expiresIn].map((time) => fromWireTime(time))).toEqual([7000, 3000, 7000]);
  expect(agedMembership({ expiresIn: null }, 1000).expiresIn).toBeNull();
});

describe('--watch of a list that changes', () => {
  let cli: CliUnderTest;
  beforeEach(async () => {
    cli = await new CliUnderTest().start();
  });
  afterEach(() => cli.close());

  test.each([
    ['memberships', (at: CliUnderTest) => {
      at.state.membershipStates = [membershipState()];
      at.state.membershipTable.journal.record('m', { interface: 'eth1', group: ip('239.1.1.1') });
    }],
    ['reports', (at: CliUnderTest) => {
      at.state.reportStates = [reportState()];
      at.state.reportTable.journal.record('r', { interface: 'eth0', group: ip('239.1.1.1') });
    }],
    ['neighbors', (at: CliUnderTest) => {
      at.state.neighborStates = [neighborState({ address: ip('239.1.1.1') })];
      at.state.neighborTable.journal.record('n', { interface: 'eth1', address: ip('239.1.1.1') });
    }],
    ['status', (at: CliUnderTest) => {
      at.state.statusState = { ...at.state.statusState, conditions: ['239.1.1.1 is on fire.'] };
    }],
    ['routes', (at: CliUnderTest) => {
      at.state.routeStates = [routeState()];
      at.state.routeTable.journal.record('r', { source: ip('10.0.0.5'), group: ip('239.1.1.1') });
    }],
  ] as const)('%s: drawn when it changes, long before the next look', async (command, change) => {
    const stop = new AbortController();
    const written: string[] = [];
    const stdout = {
      write: (text: string) => {
        written.push(text);
        if (written.length === 1) change(cli);
        if (text.includes('239.1.1.1')) stop.abort();
      },
    };
    const io: Partial<CliIo> = { stdout, interrupted: () => stop.signal, isTerminal: true, rows: () => 24 };
    expect(await cli.run([command, '-w', '3600'], io)).toMatchObject({ status: 0 });
    expect(written[1]).toContain('239.1.1.1');
  });
});
