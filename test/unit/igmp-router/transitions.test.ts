/** RFC 3376 §6.4.1 and §6.4.2, row by row, and §6.2.2, §6.2.3, §6.5: what time does to the state. */
import { GMI, GROUP, LMQT, Scenario, record, report } from './scenario';

interface Row {
  readonly record: string;
  readonly becomes: string;
  readonly timers: Readonly<Record<string, number>>;
  /** Sent at once by a querier. */
  readonly queries?: readonly string[];
  /** Timers where no query lowers them; the same as `timers` when not given. */
  readonly nonQuerierTimers?: Readonly<Record<string, number>>;
}

const RECORD_AT = 100_000;
const roles = [
  ['querier', () => Scenario.up()],
  ['non-querier', () => Scenario.nonQuerier()],
] as const;

function check(row: Row, scenario: Scenario, isQuerier: boolean): void {
  scenario.at(RECORD_AT);
  scenario.takeSent();
  scenario.receive(report(row.record));
  scenario.expectState(row.becomes);
  expect(scenario.timers()).toEqual(isQuerier ? row.timers : (row.nonQuerierTimers ?? row.timers));
  scenario.expectSent(...(isQuerier ? (row.queries ?? []) : []).map((text) => `${text} @${RECORD_AT}`));
}

describe.each(roles)('INCLUDE(a b), as %s', (role, start) => {
  const KEPT = GMI - RECORD_AT;
  const rows: Row[] = [
    { record: 'IS_IN(b c)', becomes: 'INCLUDE(a b c)', timers: { a: KEPT, b: GMI, c: GMI } },
    { record: 'IS_EX(b c)', becomes: 'EXCLUDE(b; c)', timers: { group: GMI, b: KEPT, c: 0 } },
    { record: 'ALLOW(b c)', becomes: 'INCLUDE(a b c)', timers: { a: KEPT, b: GMI, c: GMI } },
    {
      record: 'BLOCK(b c)',
      becomes: 'INCLUDE(a b)',
      timers: { a: KEPT, b: LMQT },
      queries: ['Q(G,b)'],
      nonQuerierTimers: { a: KEPT, b: KEPT },
    },
    {
      record: 'TO_EX(b c)',
      becomes: 'EXCLUDE(b; c)',
      timers: { group: GMI, b: LMQT, c: 0 },
      queries: ['Q(G,b)'],
      nonQuerierTimers: { group: GMI, b: KEPT, c: 0 },
    },
    {
      record: 'TO_IN(b c)',
      becomes: 'INCLUDE(a b c)',
      timers: { a: LMQT, b: GMI, c: GMI },
      queries: ['Q(G,a)'],
      nonQuerierTimers: { a: KEPT, b: GMI, c: GMI },
    },
    { record: 'IS_IN()', becomes: 'INCLUDE(a b)', timers: { a: KEPT, b: KEPT } },
    { record: 'IS_EX()', becomes: 'EXCLUDE(; )', timers: { group: GMI } },
    { record: 'BLOCK(c)', becomes: 'INCLUDE(a b)', timers: { a: KEPT, b: KEPT } },
    { record: 'TO_EX()', becomes: 'EXCLUDE(; )', timers: { group: GMI } },
    {
      record: 'TO_IN()',
      becomes: 'INCLUDE(a b)',
      timers: { a: LMQT, b: LMQT },
      queries: ['Q(G,a b)'],
      nonQuerierTimers: { a: KEPT, b: KEPT },
    },
  ];
  test.each(rows)('$record gives $becomes', (row) => {
    check(row, start().receive(report('ALLOW(a b)')), role === 'querier');
  });
});

describe.each(roles)('EXCLUDE(x1 x2; y1 y2), as %s', (role, start) => {
  const GROUP_TIMER = GMI - RECORD_AT;
  const REQUESTED_AT = 10_000;
  const KEPT = GMI - RECORD_AT + REQUESTED_AT;
  const rows: Row[] = [
    {
      record: 'IS_IN(x2 y2 n)',
      becomes: 'EXCLUDE(n x1 x2 y2; y1)',
      timers: { group: GROUP_TIMER, x1: KEPT, x2: GMI, y1: 0, y2: GMI, n: GMI },
    },
    { record: 'IS_EX(x2 y2 n)', becomes: 'EXCLUDE(n x2; y2)', timers: { group: GMI, x2: KEPT, y2: 0, n: GMI } },
    {
      record: 'ALLOW(x2 y2 n)',
      becomes: 'EXCLUDE(n x1 x2 y2; y1)',
      timers: { group: GROUP_TIMER, x1: KEPT, x2: GMI, y1: 0, y2: GMI, n: GMI },
    },
    {
      record: 'BLOCK(x2 y2 n)',
      becomes: 'EXCLUDE(n x1 x2; y1 y2)',
      timers: { group: GROUP_TIMER, x1: KEPT, x2: LMQT, y1: 0, y2: 0, n: LMQT },
      queries: ['Q(G,n x2)'],
      nonQuerierTimers: { group: GROUP_TIMER, x1: KEPT, x2: KEPT, y1: 0, y2: 0, n: GROUP_TIMER },
    },
    {
      record: 'TO_EX(x2 y2 n)',
      becomes: 'EXCLUDE(n x2; y2)',
      timers: { group: GMI, x2: LMQT, y2: 0, n: LMQT },
      queries: ['Q(G,n x2)'],
      nonQuerierTimers: { group: GMI, x2: KEPT, y2: 0, n: GROUP_TIMER },
    },
    {
      record: 'TO_IN(x2 y2 n)',
      becomes: 'EXCLUDE(n x1 x2 y2; y1)',
      timers: { group: LMQT, x1: LMQT, x2: GMI, y1: 0, y2: GMI, n: GMI },
      queries: ['Q(G)', 'Q(G,x1)'],
      nonQuerierTimers: { group: GROUP_TIMER, x1: KEPT, x2: GMI, y1: 0, y2: GMI, n: GMI },
    },
    { record: 'IS_EX()', becomes: 'EXCLUDE(; )', timers: { group: GMI } },
    { record: 'TO_EX()', becomes: 'EXCLUDE(; )', timers: { group: GMI } },
  ];
  test.each(rows)('$record gives $becomes', (row) => {
    const scenario = start().receive(report('IS_EX(y1 y2)')).at(REQUESTED_AT).receive(report('ALLOW(x1 x2)'));
    scenario.expectState('EXCLUDE(x1 x2; y1 y2)');
    check(row, scenario, role === 'querier');
  });
});

describe('records for a group nobody is known to listen to', () => {
  test.each(['IS_IN()', 'TO_IN()', 'ALLOW()', 'BLOCK()', 'BLOCK(a)'])('%s starts nothing', (text) => {
    Scenario.up().receive(report(text)).expectState('nothing').expectPublished().expectSent();
  });
  test.each([
    ['IS_IN(a)', 'INCLUDE(a)'],
    ['TO_IN(a)', 'INCLUDE(a)'],
    ['ALLOW(a)', 'INCLUDE(a)'],
    ['IS_EX()', 'EXCLUDE(; )'],
    ['IS_EX(a)', 'EXCLUDE(; a)'],
    ['TO_EX(a)', 'EXCLUDE(; a)'],
  ])('%s is taken as a record in INCLUDE()', (text, state) => {
    Scenario.up().receive(report(text)).expectState(state).expectPublished(state).expectSent();
  });
  test('a source listed twice in a record counts once', () => {
    Scenario.up()
      .receive(report('TO_EX(a a)'))
      .expectState('EXCLUDE(; a)')
      .receive(report('ALLOW(b b)'))
      .expectState('EXCLUDE(b; a)');
  });
});

describe('timers that run out', () => {
  test('INCLUDE: each source goes at its own time, the group with the last', () => {
    Scenario.up()
      .receive(report('ALLOW(a)'))
      .at(5_000)
      .receive(report('ALLOW(b)'))
      .expectPublished('INCLUDE(a)', 'INCLUDE(a b)')
      .at(GMI - 1)
      .expectPublished()
      .at(GMI)
      .expectPublished('INCLUDE(b)')
      .at(GMI + 5_000)
      .expectPublished('nothing')
      .expectState('nothing');
  });
  test('EXCLUDE: an expired source is no more forwarded, but stays known', () => {
    Scenario.up()
      .receive(report('IS_EX()'))
      .receive(report('ALLOW(x)'))
      .at(200_000)
      .receive(report('IS_EX(x)'))
      .expectPublished('EXCLUDE(; )', 'EXCLUDE(x; )')
      .at(GMI)
      .expectPublished('EXCLUDE(; x)')
      .expectState('EXCLUDE(; x)');
  });
  test('the group timer leaves INCLUDE of the running sources and forgets the blocked ones (§6.5)', () => {
    Scenario.up()
      .receive(report('IS_EX(y)'))
      .at(100_000)
      .receive(report('ALLOW(x)'))
      .at(GMI)
      .expectState('INCLUDE(x)')
      .expectPublished('EXCLUDE(; y)', 'EXCLUDE(x; y)', 'INCLUDE(x)')
      .at(100_000 + GMI)
      .expectPublished('nothing');
  });
  test('the group timer without running sources deletes the group', () => {
    Scenario.up().receive(report('IS_EX(y)')).at(GMI).expectState('nothing').expectPublished('EXCLUDE(; y)', 'nothing');
  });
  test('one late call does what many on time would have done', () => {
    const scenario = Scenario.up().receive(report('IS_EX(y)')).receive(report('ALLOW(x)'));
    scenario.nowMs = 10 * GMI;
    scenario.input({ kind: 'timer' }).expectState('nothing').expectPublished('EXCLUDE(; y)', 'EXCLUDE(x; y)', 'nothing');
  });
  test('a call before anything is due does nothing', () => {
    const scenario = Scenario.up().receive(report('ALLOW(a)'));
    const deadline = scenario.machine.nextDeadline();
    scenario.nowMs = 1;
    expect(scenario.machine.input({ kind: 'timer' }, 1)).toEqual([]);
    expect(scenario.machine.nextDeadline()).toBe(deadline);
  });
});

describe('what is published', () => {
  test('a refresh that changes timers only is silent', () => {
    Scenario.up()
      .receive(report('IS_EX(y)'))
      .expectPublished('EXCLUDE(; y)')
      .at(1_000)
      .receive(report('IS_EX(y)'))
      .expectPublished();
  });
  test('many records of one group in one report publish once, the final demand', () => {
    const records = ['IS_EX(a)', 'ALLOW(b)', 'ALLOW(c)'].map((text) => record(text));
    Scenario.up().receive({ kind: 'report-v3', records }).expectPublished('EXCLUDE(b c; a)');
  });
  test('what one report takes away and gives back is no change', () => {
    const records = [record('IS_EX()'), record('ALLOW(x)')];
    Scenario.up()
      .receive(report('IS_EX()'))
      .receive(report('ALLOW(x)'))
      .expectPublished('EXCLUDE(; )', 'EXCLUDE(x; )')
      .receive({ kind: 'report-v3', records })
      .expectPublished();
  });
  test('sources come in ascending order', () => {
    const scenario = Scenario.up().receive(report('ALLOW(c a b)'));
    const demand = scenario.wanted.get(GROUP)!;
    expect(demand.sources).toEqual([...demand.sources].sort((one, other) => one - other));
  });
  test('the snapshot tells who asked last and since when the group is here', () => {
    const scenario = Scenario.up().at(500).receive(report('ALLOW(a)')).at(1_500).receive(report('BLOCK(a)'), 0x0a010033);
    expect(scenario.membership()).toMatchObject({ lastReporter: 0x0a010032, ageMs: 1_000, compatibilityVersion: 3 });
  });
});
