/** New settings take effect at once and lose no membership; the role that is told of. */
import {
  DEFAULTS,
  GMI,
  GROUP,
  LMQT,
  LOWER_ROUTER,
  OQPI,
  OTHER_HOST,
  OWN,
  QUERY_INTERVAL,
  SSM_GROUP,
  STARTUP_QUERY_INTERVAL,
  Scenario,
  ip,
  leave,
  query,
  report,
  v2Report,
} from './scenario';

const FAST = { timing: { ...DEFAULTS.timing, queryIntervalMs: 20_000, startupQueryIntervalMs: 5_000 } };
const FAST_GMI = 50_000;

describe('new settings', () => {
  test('that are the same as before change nothing', () => {
    const scenario = Scenario.up().receive(report('IS_EX(y)')).at(1_000).configure({}).expectGeneralQueries();
    scenario.expectState('EXCLUDE(; y)').expectPublished('EXCLUDE(; y)').expectLogged().expectRoles();
    expect(scenario.timers()).toEqual({ group: GMI - 1_000, y: 0 });
  });
  test('another timing is told to the link at once, and again', () => {
    const scenario = Scenario.up().at(1_000).configure(FAST).at(30_000).expectGeneralQueries(1_000, 6_000, 26_000);
    scenario.receive(report('IS_EX()'));
    expect(scenario.timers()).toEqual({ group: FAST_GMI });
  });
  test('shorter lives hold for what is reported from now on', () => {
    const scenario = Scenario.up().receive(report('IS_EX()')).receive(report('ALLOW(a)', SSM_GROUP)).configure(FAST);
    expect([scenario.timers(), scenario.timers(SSM_GROUP)]).toEqual([{ group: GMI }, { a: GMI }]);
    expect(scenario.at(GMI - 1).membership()?.hosts).toHaveLength(1);
    scenario.at(GMI).expectState('nothing').expectState('nothing', SSM_GROUP);
  });
  test('longer ones for what is there as well: the next query comes later too', () => {
    const scenario = Scenario.up(FAST).receive(report('IS_EX()')).receive(report('ALLOW(a)')).receive(v2Report(0xef010102));
    scenario.at(10_000).configure({});
    expect(scenario.timers()).toEqual({ group: GMI - 10_000, a: GMI - 10_000 });
    expect(scenario.at(GMI - 1).membership()?.hosts).toHaveLength(1);
    expect(scenario.membership(0xef010102)?.compatibilityVersion).toBe(2);
  });
  test('longer lives are not for what is being asked for', () => {
    const scenario = Scenario.up(FAST).receive(v2Report()).receive(leave()).configure({}).at(LMQT).expectState('nothing');
    expect(scenario.machine.membershipCount).toBe(0);
  });
  test('the version of the queries', () => {
    const scenario = Scenario.up().at(1_000).configure({ version: 2 });
    expect(scenario.takeSent()).toMatchObject([{ atMs: 1_000, message: { version: 2, group: 0 } }]);
    scenario.receive(report('IS_EX()')).receive(report('BLOCK(a)')).expectCounted('ignored_in_compatibility_mode');
  });
  test('MTU, quick leave, ignored versions and access', () => {
    const scenario = Scenario.up().receive(report('ALLOW(a b)')).configure({ mtu: 20 }).receive(report('BLOCK(a b)'));
    scenario.expectSent('Q(G,a) @0', 'Q(G,b) @0').at(LMQT).receive(report('ALLOW(a)'));
    scenario.configure({ quickLeave: 'always' }).receive(report('BLOCK(a)')).expectState('nothing');
    scenario.configure({ ignoreV2: true }).receive(v2Report()).expectCounted('version_ignored');
    const nobody = {
      permit: false,
      source: undefined,
      reporter: { address: 0, length: 0 },
      group: { address: GROUP, length: 32 },
    };
    scenario
      .configure({ access: [nobody] })
      .receive(v2Report())
      .expectCounted('access_denied');
  });
  test('who is denied from now on stays until its next report would be due', () => {
    const everybody = { source: undefined, reporter: { address: 0, length: 0 }, group: { address: ip('224.0.0.0'), length: 4 } };
    const scenario = Scenario.up()
      .receive(report('IS_EX()'))
      .at(100_000)
      .configure({ access: [{ permit: false, ...everybody }] });
    scenario.expectState('EXCLUDE(; )').receive(report('IS_EX()')).expectCounted('access_denied').at(GMI).expectState('nothing');
  });
  test('a source-specific range around a group that is there: it is refreshed no more', () => {
    const ssmRange = { address: ip('239.1.0.0'), length: 16 };
    const scenario = Scenario.up().receive(v2Report()).configure({ ssmRange }).expectState('EXCLUDE(; )');
    expect(scenario.membership()?.compatibilityVersion).toBe(3);
    scenario.receive(v2Report()).expectCounted('ssm_ignored').at(GMI).expectState('nothing');
  });
  test('before the link is up', () => {
    const scenario = new Scenario().configure({ version: 1 }).linkUp();
    expect(scenario.takeSent()).toMatchObject([{ message: { version: 1 } }]);
  });
  test("another querier's values still count, ours where it said nothing", () => {
    const announced = query({ querierRobustness: 0, querierQueryIntervalMs: 60_000 });
    const scenario = Scenario.up().receive(announced, LOWER_ROUTER);
    scenario
      .configure({ timing: { ...DEFAULTS.timing, robustness: 3 } })
      .receive(report('IS_EX()'))
      .expectGeneralQueries();
    expect(scenario.timers()).toEqual({ group: 3 * 60_000 + 10_000 });
  });
  test('a querier that may not be one any more is deposed', () => {
    const scenario = Scenario.nonQuerier().expectRoles(false).at(1_000);
    scenario.configure({ queriers: [{ address: LOWER_ROUTER, length: 32 }] }).expectRoles();
    scenario
      .configure({ queriers: [{ address: ip('10.1.0.1'), length: 32 }] })
      .expectRoles(true)
      .expectGeneralQueries(1_000);
    expect(scenario.machine.querier(1_000)).toMatchObject({ isQuerier: true, address: OWN });
  });
  test('a query under way with the old values goes on with the new ones', () => {
    const scenario = Scenario.up().receive(v2Report()).receive(leave()).configure({});
    scenario.at(LMQT).expectSent('Q(G) @0', 'Q(G) @1000').expectState('nothing');
  });
});

describe('the role', () => {
  test('is querier until told otherwise (RFC 3376 §6.6.2)', () => {
    new Scenario()
      .linkUp()
      .at(STARTUP_QUERY_INTERVAL + QUERY_INTERVAL)
      .expectRoles();
  });
  test('is told when another router takes over, and when it falls silent', () => {
    const scenario = Scenario.up().receive(query(), LOWER_ROUTER).expectRoles(false).at(5_000).receive(query(), LOWER_ROUTER);
    scenario
      .expectRoles()
      .receive(query(), ip('10.1.0.1'))
      .expectRoles()
      .at(5_000 + OQPI)
      .expectRoles(true);
  });
  test('is not told with the link going down, but when it is up again and different', () => {
    Scenario.nonQuerier().expectRoles(false).linkDown().expectRoles().linkUp().expectRoles(true);
    Scenario.up().linkDown().linkUp().expectRoles();
  });
  test('without an address of ours is taken by whoever asks only', () => {
    const scenario = new Scenario().linkUp([]).expectRoles().receive(query(), LOWER_ROUTER).expectRoles(false).at(OQPI);
    scenario.expectRoles(true).receive(report('IS_EX()'), OTHER_HOST).expectState('EXCLUDE(; )');
  });
});
