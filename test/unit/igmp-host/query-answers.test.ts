/** RFC 3376 §5.2: what is answered, and when. */
import { DEFAULTS, GROUP, HostScenario, NEIGHBOUR, OTHER_GROUP, OWN, ip, query, source, ALL_SYSTEMS } from './scenario';

/** Chance as scripted, then 0.5. */
function chances(...draws: number[]): () => number {
  return () => draws.shift() ?? 0.5;
}

const askedFor = (list: string) => ({ group: GROUP, sources: list.split(' ').map(source) });

describe('a general query', () => {
  test('is answered for every group by one report, at a random time within Max Resp Time', () => {
    const host = HostScenario.wanting('EXCLUDE(a)').want('INCLUDE(b c)', OTHER_GROUP).after(10_000);
    host.takeSent();
    host.ask({ maxResponseTimeMs: 8_000 }).after(60_000).expectSent('IS_EX(a), IS_IN(b c) 239.1.1.2 @114001');
  });

  test.each([
    ['the least', 0, 1],
    ['the most', 0.999_999_9, 10_000],
  ])('after %s of (0, Max Resp Time]', (_, chance, delayMs) => {
    const host = HostScenario.wanting('EXCLUDE()');
    host.input({ kind: 'settings', settings: { ...DEFAULTS, random: () => chance } });
    host
      .ask()
      .after(60_000)
      .expectSent(`IS_EX() @${100_000 + delayMs}`);
  });

  test('is never answered within the same instant, even with a Max Resp Time of 0', () => {
    const host = HostScenario.wanting('EXCLUDE()').ask({ maxResponseTimeMs: 0 });
    host.endTurn().expectSent().after(1).expectSent('IS_EX() @100001');
  });

  test('is not answered when there is nothing to report', () => {
    const host = HostScenario.up().ask();
    expect(host.machine.nextDeadline()).toBeUndefined();
  });

  test('is answered with what is wanted when the answer is due', () => {
    const host = HostScenario.wanting('INCLUDE(a)').ask().after(1_000).want('INCLUDE(a b)').after(2_000);
    host.takeSent();
    host.after(60_000).expectSent('IS_IN(a b) @105001');
  });

  test('shares its packet with what else is due', () => {
    const host = HostScenario.wanting('INCLUDE(a)').ask({ maxResponseTimeMs: 1_000 });
    host.nowMs += 501;
    host.want('EXCLUDE()', OTHER_GROUP).endTurn().expectSent('TO_EX() 239.1.1.2, IS_IN(a), IS_EX() 239.1.1.2 @100501');
  });
});

describe('the five rules', () => {
  test('1: a general answer that is due sooner answers a later query too', () => {
    const host = HostScenario.wanting('EXCLUDE()', { random: chances(0.5, 0.1, 0.5, 0.9) });
    const asLong = { maxResponseTimeMs: 10_000 };
    host
      .ask()
      .after(10)
      .ask({ group: GROUP, ...asLong })
      .ask({ ...askedFor('a'), ...asLong })
      .ask()
      .after(60_000)
      .expectSent('IS_EX() @101001');
  });

  test('2: a general answer that is due later gives way to the new one', () => {
    const host = HostScenario.wanting('EXCLUDE()', { random: chances(0.5, 0.9, 0.1) });
    host.ask().after(10).ask().after(60_000).expectSent('IS_EX() @101011');
  });

  test('2: whatever was asked about groups before is answered by the general answer', () => {
    const host = HostScenario.wanting('EXCLUDE()', { random: chances(0.5, 0.9, 0.01) });
    host.ask({ group: GROUP, maxResponseTimeMs: 5_000 }).ask().after(60_000).expectSent('IS_EX() @100101');
  });

  test('3: a group query is answered for the group', () => {
    HostScenario.wanting('EXCLUDE(a)').ask({ group: GROUP }).after(60_000).expectSent('IS_EX(a) @100501');
  });

  test('3: also while a general answer is due later', () => {
    const host = HostScenario.wanting('EXCLUDE()', { random: chances(0.5, 0.9, 0.1) });
    host.ask().ask({ group: GROUP }).after(60_000).expectSent('IS_EX() @100101', 'IS_EX() @109001');
  });

  test('3: a group-and-source query is answered for its sources', () => {
    HostScenario.wanting('INCLUDE(a b)').ask(askedFor('b c')).after(60_000).expectSent('IS_IN(b) @100501');
  });

  test.each([
    ['a group query after a group-and-source query', askedFor('a'), { group: GROUP }],
    ['a group-and-source query after a group query', { group: GROUP }, askedFor('a')],
    ['a group query after a group query', { group: GROUP }, { group: GROUP }],
  ])('4: %s: the whole group once, at the earlier time', (_, first, second) => {
    const later = HostScenario.wanting('INCLUDE(a b)', { random: chances(0.5, 0.2, 0.8) });
    later.ask(first).after(10).ask(second).after(60_000).expectSent('IS_IN(a b) @100201');
    const earlier = HostScenario.wanting('INCLUDE(a b)', { random: chances(0.5, 0.8, 0.2) });
    earlier.ask(first).after(10).ask(second).after(60_000).expectSent('IS_IN(a b) @100211');
  });

  test('5: sources asked for in two queries are answered together, at the earlier time', () => {
    const later = HostScenario.wanting('INCLUDE(a b c d)', { random: chances(0.5, 0.2, 0.8) });
    later.ask(askedFor('a b')).after(10).ask(askedFor('b c')).after(60_000).expectSent('IS_IN(a b c) @100201');
    const earlier = HostScenario.wanting('INCLUDE(a b c d)', { random: chances(0.5, 0.8, 0.2) });
    earlier.ask(askedFor('a b')).after(10).ask(askedFor('b c')).after(60_000).expectSent('IS_IN(a b c) @100211');
  });
});

describe('the answer to a group-and-source query', () => {
  test.each([
    ['INCLUDE(A): IS_IN(A*B)', 'INCLUDE(a b)', 'b c', ['IS_IN(b)']],
    ['INCLUDE(A), nothing in common: none', 'INCLUDE(a b)', 'c d', []],
    ['EXCLUDE(A): IS_IN(B-A)', 'EXCLUDE(a b)', 'b c', ['IS_IN(c)']],
    ['EXCLUDE(A), all of them excluded: none', 'EXCLUDE(a b)', 'a b', []],
    ['nothing: none', 'nothing', 'a', []],
  ])('%s', (_, wanted, asked, records) => {
    const host = HostScenario.wanting(wanted).ask(askedFor(asked)).after(60_000);
    host.expectSent(...records.map((record) => `${record} @100501`));
  });

  test('is drawn from what is wanted when it is due', () => {
    const host = HostScenario.wanting('INCLUDE(a b)').ask(askedFor('a b')).after(10).want('INCLUDE(b)').after(10);
    host.takeSent();
    host.at(100_505).expectSent('IS_IN(b) @100501');
  });

  test('is not waited for any longer when the group has gone', () => {
    const host = HostScenario.wanting('INCLUDE(a)')
      .ask({ ...askedFor('a'), maxResponseTimeMs: 3_174_400 })
      .want('nothing')
      .after(1_000);
    expect(host.machine.nextDeadline()).toBeUndefined();
  });

  test('is none when the group has gone', () => {
    const host = HostScenario.wanting('INCLUDE(a)').ask(askedFor('a')).after(10).want('nothing').after(60_000);
    host.expectSent('BLOCK(a) @100010', 'BLOCK(a) @100510');
  });
});

describe('hostile queries', () => {
  test('more sources than are remembered: the whole group is answered', () => {
    const host = HostScenario.wanting('INCLUDE(a b)', { recordedSourcesLimit: 2 });
    host.ask(askedFor('c d')).ask(askedFor('c')).after(60_000).expectSent();
    host.ask(askedFor('c d')).ask(askedFor('e')).after(60_000).expectSent('IS_IN(a b) @160501');
    host.ask(askedFor('c d e')).after(60_000).expectSent('IS_IN(a b) @220501');
  });

  test('about groups nobody wants make no state', () => {
    const host = HostScenario.up();
    for (let index = 0; index < 1_000; index += 1) host.ask({ group: GROUP + index, sources: [source('a')] });
    expect(host.machine.nextDeadline()).toBeUndefined();
    expect(host.machine.snapshot(0).groups).toBe(0);
  });

  test('that never end do not postpone the answer', () => {
    const host = HostScenario.wanting('EXCLUDE()', { random: chances(0.5, 0.5) }).ask();
    for (let index = 0; index < 100; index += 1) host.after(100).ask({ maxResponseTimeMs: 3_174_400 });
    expect(host.takeSent()[0]?.atMs).toBe(105_001);
  });

  test.each([
    ['without Router Alert', query(), { routerAlert: false }, 'no_router_alert'],
    ['version 2, without Router Alert', query({ version: 2 }), { routerAlert: false }, 'no_router_alert'],
    ['general, to another group than 224.0.0.1', query(), { to: GROUP }, 'bad_destination'],
    ['version 1, to another group than 224.0.0.1', query({ version: 1 }), { to: GROUP, routerAlert: false }, 'bad_destination'],
    ['about a group, to another group', query({ group: GROUP }), { to: OTHER_GROUP }, 'bad_destination'],
    ['to a unicast address of somebody else', query(), { to: NEIGHBOUR }, 'bad_destination'],
    ['from our own address', query(), { from: OWN }, 'own_address'],
  ] as const)('%s: ignored and counted', (_, message, packet, reason) => {
    HostScenario.wanting('EXCLUDE()').receive(message, packet).expectCounted(reason).after(60_000).expectSent();
  });

  test.each([
    ['version 1, without Router Alert', query({ version: 1 }), { routerAlert: false }],
    ['general, to our own address', query(), { to: OWN }],
    ['about a group, to the group', query({ group: GROUP }), { to: GROUP }],
    ['about a group, to all systems', query({ group: GROUP }), { to: ALL_SYSTEMS }],
    ['from a switch without address', query(), { from: 0 }],
    ['from a router of another subnet', query(), { from: ip('172.16.0.1') }],
  ] as const)('%s: answered', (_, message, packet) => {
    const host = HostScenario.wanting('EXCLUDE()').receive(message, packet).expectCounted().after(60_000);
    expect(host.takeSent()).toHaveLength(1);
  });

  test('with the link down: ignored and counted', () => {
    HostScenario.wanting('EXCLUDE()').linkDown().ask().expectCounted('interface_down');
  });
});

test.each([
  [{ kind: 'report-v3', records: [] }],
  [{ kind: 'leave', group: GROUP }],
  [{ kind: 'report-v2', group: GROUP }],
  [{ kind: 'report-v1', group: GROUP }],
] as const)('%j is nothing to a version 3 host', (message) => {
  const host = HostScenario.wanting('EXCLUDE()').ask().receive(message, { from: NEIGHBOUR }).expectCounted('not_for_hosts');
  host.after(60_000).expectSent('IS_EX() @105001');
});

test('the snapshot tells who asked last and when', () => {
  const host = HostScenario.wanting('EXCLUDE()');
  expect(host.machine.snapshot(100_000)).toEqual({
    version: 3,
    querier: 0,
    lastQueryMs: undefined,
    olderVersionMs: undefined,
    groups: 1,
  });
  host.receive(query(), { from: NEIGHBOUR });
  expect(host.machine.snapshot(107_000)).toMatchObject({ querier: NEIGHBOUR, lastQueryMs: 7_000 });
});
