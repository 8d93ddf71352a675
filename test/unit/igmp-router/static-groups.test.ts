/** Memberships that are there without hosts: merged with what hosts want as a host that never leaves would be (RFC 3376 §6.3). */
import { ADDRESSES, GMI, GROUP, HOST, Scenario, leave, report, source, v2Report } from './scenario';

const [S, T] = [source('s'), source('t')];
const everySource = { staticGroups: [{ group: GROUP, sources: [] }] };
const some = { staticGroups: [{ group: GROUP, sources: [S, T] }] };

describe('presence', () => {
  test('from link-up to link-down, not before and not after', () => {
    const scenario = new Scenario(everySource).expectState('nothing').linkUp().expectPublished('EXCLUDE(; )');
    scenario
      .at(10 * GMI)
      .expectPublished()
      .linkDown()
      .expectPublished('nothing')
      .linkUp()
      .expectPublished('EXCLUDE(; )');
    scenario.linkUp([...ADDRESSES, { address: S, length: 24 }]).expectPublished();
  });
  test('in the snapshot: no host, no timer', () => {
    const scenario = Scenario.up(some).at(5_000);
    expect(scenario.membership()).toMatchObject({
      mode: 'include',
      groupTimerMs: undefined,
      lastReporter: 0,
      ageMs: 5_000,
      isStatic: true,
      hosts: [],
      sources: [
        { source: S, forwarded: true, timerMs: 0 },
        { source: T, forwarded: true, timerMs: 0 },
      ],
    });
    expect(scenario.machine.membershipCount).toBe(1);
  });
  test('of every source is EXCLUDE({}) in the snapshot, whatever hosts want', () => {
    const scenario = Scenario.up(everySource).expectState('EXCLUDE(; )').receive(report('IS_EX(y)')).expectState('EXCLUDE(y; )');
    expect(scenario.membership()).toMatchObject({ groupTimerMs: GMI, lastReporter: HOST, isStatic: true });
  });
});

describe('every source', () => {
  test('nothing is excluded, hosts are still known by name', () => {
    const scenario = Scenario.up(everySource).receive(report('ALLOW(a)')).receive(report('IS_EX(y)'));
    scenario.expectPublished('EXCLUDE(; )', 'EXCLUDE(a; )', 'EXCLUDE(; )');
  });
  test('a join and a leave of hosts change nothing', () => {
    const scenario = Scenario.up(everySource).receive(v2Report()).receive(leave()).at(5_000).expectPublished('EXCLUDE(; )');
    expect(scenario.membership()).toMatchObject({ hosts: [], groupTimerMs: undefined });
  });
});

describe('some sources', () => {
  test('are wanted beside those of INCLUDE hosts', () => {
    Scenario.up(some)
      .receive(report('ALLOW(a t)'))
      .expectPublished('INCLUDE(s t)', 'INCLUDE(a s t)')
      .at(GMI)
      .expectPublished('INCLUDE(s t)');
  });
  test('are never excluded', () => {
    const scenario = Scenario.up(some).receive(report('IS_EX(s y)')).expectPublished('INCLUDE(s t)', 'EXCLUDE(s t; y)');
    scenario
      .expectState('EXCLUDE(s t; y)')
      .at(GMI)
      .expectPublished('INCLUDE(s t)')
      .at(3 * GMI)
      .expectPublished();
  });
  test('stay when hosts block them', () => {
    Scenario.up({ ...some, quickLeave: 'always' })
      .receive(report('ALLOW(s)'))
      .receive(report('BLOCK(s)'))
      .expectPublished('INCLUDE(s t)')
      .expectState('INCLUDE(s t)');
  });
});

describe('new settings', () => {
  test('add, change and take away static memberships; hosts stay', () => {
    const scenario = Scenario.up().receive(report('ALLOW(a)')).configure(everySource).configure(some).configure({});
    scenario.expectPublished('INCLUDE(a)', 'EXCLUDE(a; )', 'INCLUDE(a s t)', 'INCLUDE(a)');
    expect(scenario.membership()?.isStatic).toBe(false);
  });
  test('the same again changes nothing', () => {
    Scenario.up(some).configure(some).expectPublished('INCLUDE(s t)');
  });
  test('while the link is down wait for it', () => {
    Scenario.up().linkDown().configure(some).expectPublished().linkUp().expectPublished('INCLUDE(s t)');
  });
  test('that take away one without hosts end it', () => {
    Scenario.up(some).configure({}).expectState('nothing').expectPublished('INCLUDE(s t)', 'nothing');
  });
});

describe('beside those of the settings', () => {
  const added = (sources: readonly number[] | undefined) => ({ kind: 'static-groups', changes: [{ group: GROUP, sources }] }) as const;

  test('they come, change and go while the link is up', () => {
    const scenario = Scenario.up({}).input(added([])).expectPublished('EXCLUDE(; )');
    expect(scenario.membership()).toMatchObject({ isStatic: true, hosts: [] });
    scenario.input(added([S])).expectPublished('INCLUDE(s)').input(added(undefined)).expectPublished('nothing');
    expect(scenario.machine.membershipCount).toBe(0);
  });
  test('those of the settings come first, and leave the place to them', () => {
    const scenario = Scenario.up(everySource).input(added([S])).expectPublished('EXCLUDE(; )');
    scenario.configure({ staticGroups: [] }).expectPublished('INCLUDE(s)').configure(some).expectPublished('INCLUDE(s t)');
    scenario.input(added(undefined)).expectPublished().configure({ staticGroups: [] }).expectPublished('nothing');
  });
  test('they are forgotten with the link, and not taken while it is down', () => {
    const scenario = Scenario.up({}).input(added([])).expectPublished('EXCLUDE(; )').linkDown().expectPublished('nothing');
    scenario.input(added([])).expectPublished().linkUp().expectPublished();
  });
});
