/** Who asks: RFC 3376 §6.6.2, §8.5-8.7, §4.1.6-7, §7.3.1; RFC 2236 §3, §7. */
import {
  DEFAULTS,
  GMI,
  HIGHER_ROUTER,
  LOWER_ROUTER,
  OQPI,
  OWN,
  QUERY_INTERVAL,
  STARTUP_QUERY_INTERVAL,
  Scenario,
  ip,
  query,
  report,
} from './scenario';

const NON_QUERIER_OF = (address: number, otherQuerierPresentMs = OQPI) => ({ isQuerier: false, address, otherQuerierPresentMs });
const QUERIER = { isQuerier: true, address: OWN, otherQuerierPresentMs: undefined };

describe('general queries', () => {
  test('two at the Startup Query Interval, then one each Query Interval', () => {
    const second = STARTUP_QUERY_INTERVAL;
    new Scenario()
      .linkUp()
      .at(second + 2 * QUERY_INTERVAL)
      .expectGeneralQueries(0, second, second + QUERY_INTERVAL, second + 2 * QUERY_INTERVAL);
  });
  test('version 3 carries our robustness and query interval to 224.0.0.1', () => {
    const [first] = new Scenario().linkUp().takeSent();
    expect(first).toEqual({ atMs: 0, kind: 'send', source: OWN, destination: ip('224.0.0.1'), message: query() });
  });
  test('a robustness above 7 is sent as 0', () => {
    const [first] = new Scenario({ timing: { ...DEFAULTS.timing, robustness: 8 } }).linkUp().takeSent();
    expect(first).toMatchObject({ message: { querierRobustness: 0 } });
  });
  test.each([
    [2, 10_000],
    [1, 10_000],
  ] as const)('version %d carries neither', (version, maxResponseTimeMs) => {
    const [first] = new Scenario({ version }).linkUp().takeSent();
    const message = query({ version, maxResponseTimeMs, querierRobustness: 0, querierQueryIntervalMs: 0 });
    expect(first).toMatchObject({ message });
  });
});

describe('election', () => {
  test('a lower router wins: our general queries cease', () => {
    const scenario = Scenario.up()
      .at(1_000)
      .receive(query(), LOWER_ROUTER)
      .expectLogged(/10\.1\.0\.2 is querier/);
    expect(scenario.machine.querier(1_000)).toEqual(NON_QUERIER_OF(LOWER_ROUTER));
    scenario.at(1_000 + OQPI - 1).expectGeneralQueries();
  });
  test('after the Other Querier Present Interval of silence we ask again, at once and then each Query Interval', () => {
    const scenario = Scenario.nonQuerier();
    scenario
      .at(OQPI + QUERY_INTERVAL)
      .expectGeneralQueries(OQPI, OQPI + QUERY_INTERVAL)
      .expectLogged(/10\.1\.0\.10 is querier again/);
    expect(scenario.machine.querier(scenario.nowMs)).toEqual(QUERIER);
  });
  test('each query of the other restarts the interval', () => {
    const scenario = Scenario.nonQuerier().at(QUERY_INTERVAL).receive(query(), LOWER_ROUTER);
    scenario.at(QUERY_INTERVAL + OQPI - 1).expectGeneralQueries();
    scenario.at(QUERY_INTERVAL + OQPI).expectGeneralQueries(QUERY_INTERVAL + OQPI);
  });
  test('a higher router changes nothing', () => {
    const scenario = Scenario.up().receive(query(), HIGHER_ROUTER);
    expect(scenario.machine.querier(0)).toEqual(QUERIER);
  });
  test('addresses compare unsigned: 200.0.0.1 is higher than 100.0.0.1', () => {
    const scenario = new Scenario().linkUp([{ address: ip('100.0.0.1'), length: 0 }]).receive(query(), ip('200.0.0.1'));
    expect(scenario.machine.querier(0).isQuerier).toBe(true);
    const other = new Scenario().linkUp([{ address: ip('200.0.0.1'), length: 0 }]).receive(query(), ip('100.0.0.1'));
    expect(other.machine.querier(0).isQuerier).toBe(false);
  });
  test('a still lower router takes over', () => {
    const scenario = Scenario.nonQuerier().at(5).receive(query(), ip('10.1.0.1'));
    expect(scenario.machine.querier(5)).toEqual(NON_QUERIER_OF(ip('10.1.0.1')));
  });
  test('a router between the elected one and us keeps the timer, but takes over only from a silent one', () => {
    const between = ip('10.1.0.5');
    const scenario = Scenario.nonQuerier().at(200_000).receive(query(), between);
    expect(scenario.machine.querier(200_000)).toEqual(NON_QUERIER_OF(LOWER_ROUTER));
    scenario.at(300_000).receive(query(), between);
    expect(scenario.machine.querier(300_000)).toEqual(NON_QUERIER_OF(between));
  });
  test('a group query of a lower router is no candidacy', () => {
    const scenario = Scenario.up().receive(query({ group: ip('239.1.1.1') }), LOWER_ROUTER);
    expect(scenario.machine.querier(0)).toEqual(QUERIER);
  });
  test.each([
    ['0.0.0.0', 'querier_zero_source'],
    ['10.0.0.1', 'off_subnet_source'],
    ['10.1.0.10', 'own_address'],
  ] as const)('a query from %s is no candidacy', (address, reason) => {
    const scenario = Scenario.up({ acceptOffSubnet: true }).receive(query(), ip(address)).expectCounted(reason);
    expect(scenario.machine.querier(0)).toEqual(QUERIER);
  });
});

describe("the elected querier's values", () => {
  test('its robustness and query interval decide how long memberships and its own presence last', () => {
    const announced = query({ querierRobustness: 3, querierQueryIntervalMs: 60_000 });
    const scenario = Scenario.up().receive(announced, LOWER_ROUTER).receive(report('IS_EX()'));
    expect(scenario.timers()).toEqual({ group: 3 * 60_000 + 10_000 });
    expect(scenario.machine.querier(0)).toEqual(NON_QUERIER_OF(LOWER_ROUTER, 3 * 60_000 + 5_000));
  });
  test('zero means: our own', () => {
    const scenario = Scenario.up().receive(query({ querierRobustness: 0, querierQueryIntervalMs: 0 }), LOWER_ROUTER);
    scenario.receive(report('IS_EX()'));
    expect(scenario.timers()).toEqual({ group: GMI });
  });
  test('are forgotten once we ask again', () => {
    const scenario = Scenario.up().receive(query({ querierRobustness: 1, querierQueryIntervalMs: 20_000 }), LOWER_ROUTER);
    scenario.at(25_000).expectGeneralQueries(25_000).receive(report('IS_EX()'));
    expect(scenario.timers()).toEqual({ group: GMI });
  });
  test('those of a higher router are not taken', () => {
    const scenario = Scenario.up()
      .receive(query({ querierRobustness: 7 }), HIGHER_ROUTER)
      .receive(report('IS_EX()'));
    expect(scenario.timers()).toEqual({ group: GMI });
  });
  test('one forged query holds the role for hours at most', () => {
    const scenario = Scenario.up().receive(query({ querierRobustness: 7, querierQueryIntervalMs: 31_744_000 }), LOWER_ROUTER);
    expect(scenario.machine.querier(0).otherQuerierPresentMs).toBe(7 * 3_600_000 + 5_000);
  });
});

describe('routers of different versions (§7.3.1)', () => {
  test.each([
    [3, 1],
    [3, 2],
    [2, 1],
    [2, 3],
    [1, 2],
    [1, 3],
  ] as const)('configured for %d and hearing %d: warn, at most once a minute, and elect all the same', (version, heard) => {
    const scenario = Scenario.up({ version }).receive(query({ version: heard }), LOWER_ROUTER);
    scenario
      .expectCounted('wrong_query_version')
      .expectLogged(new RegExp(`warn: .*IGMPv${heard} .*IGMPv${version}`), /is querier/);
    expect(scenario.machine.querier(0).isQuerier).toBe(false);
    scenario
      .at(59_999)
      .receive(query({ version: heard }), LOWER_ROUTER)
      .expectCounted('wrong_query_version')
      .expectLogged();
    scenario
      .at(60_000)
      .receive(query({ version: heard }), LOWER_ROUTER)
      .expectLogged(/^warn/);
  });
  test('a v2 group query on a v3 interface is no reason to warn', () => {
    Scenario.up()
      .receive(query({ version: 2, group: ip('239.1.1.1') }), LOWER_ROUTER)
      .expectCounted()
      .expectLogged();
  });
});
