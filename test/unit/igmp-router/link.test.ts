/** The link goes and comes, addresses change. */
import {
  ADDRESSES,
  GMI,
  GROUP,
  LOWER_ROUTER,
  OQPI,
  OWN,
  QUERY_INTERVAL,
  Scenario,
  ip,
  leave,
  query,
  report,
  v2Report,
} from './scenario';

const OTHER_ADDRESS = ip('10.1.0.77');

describe('link down', () => {
  test('forgets all groups, publishes that, and nothing is due any more', () => {
    const scenario = Scenario.up().receive(report('IS_EX()')).receive(report('ALLOW(a)', 0xe8010101)).receive(leave());
    scenario.expectPublished('EXCLUDE(; )', 'INCLUDE(a)').linkDown().expectPublished('nothing', 'nothing');
    expect(scenario.machine.nextDeadline()).toBeUndefined();
    expect(scenario.machine.memberships(0)).toEqual([]);
    expect(scenario.machine.querier(0)).toEqual({ isQuerier: false, address: 0, otherQuerierPresentMs: undefined });
    scenario
      .at(10 * GMI)
      .expectPublished()
      .expectSent('Q(G) @0');
  });
  test('messages are refused until it is up', () => {
    Scenario.up()
      .linkDown()
      .receive(report('IS_EX()'))
      .receive(query(), LOWER_ROUTER)
      .expectCounted('interface_down', 'interface_down');
    new Scenario().receive(v2Report()).expectCounted('interface_down').expectState('nothing');
  });
  test('up again: startup queries at once, an election anew', () => {
    const scenario = Scenario.nonQuerier().at(1_000).linkDown().at(2_000).linkUp().expectGeneralQueries(2_000);
    expect(scenario.machine.querier(2_000).isQuerier).toBe(true);
    scenario.receive(report('IS_EX()')).expectPublished('EXCLUDE(; )');
  });
});

describe('addresses', () => {
  test('the same ones told again change nothing', () => {
    Scenario.up().at(1_000).linkUp().expectGeneralQueries();
    const scenario = Scenario.nonQuerier().at(1_000).linkUp();
    expect(scenario.machine.querier(1_000)).toMatchObject({ isQuerier: false, otherQuerierPresentMs: OQPI - 1_000 });
  });
  test('a second address changes neither role nor memberships', () => {
    const scenario = Scenario.up().receive(report('IS_EX()')).at(1_000);
    scenario
      .linkUp([...ADDRESSES, { address: ip('192.0.2.1'), length: 24 }])
      .expectGeneralQueries()
      .expectState('EXCLUDE(; )');
    scenario.receive(report('ALLOW(a)'), ip('192.0.2.9')).expectCounted().expectState('EXCLUDE(a; )');
  });
  test('another first address: asks from it at once, memberships stay', () => {
    const scenario = Scenario.up().receive(report('IS_EX()')).at(40_000);
    scenario.takeSent();
    scenario.linkUp([{ address: OTHER_ADDRESS, length: 24 }]).expectState('EXCLUDE(; )');
    expect(scenario.takeSent()).toMatchObject([{ atMs: 40_000, source: OTHER_ADDRESS }]);
    expect(scenario.machine.querier(40_000).address).toBe(OTHER_ADDRESS);
  });
  test('an address below the other querier makes us querier', () => {
    const scenario = Scenario.nonQuerier()
      .at(1_000)
      .linkUp([{ address: ip('10.1.0.1'), length: 24 }])
      .expectGeneralQueries(1_000);
    expect(scenario.machine.querier(1_000).isQuerier).toBe(true);
  });
  test('an address above the other querier leaves us silent', () => {
    const scenario = Scenario.nonQuerier()
      .at(1_000)
      .linkUp([{ address: OTHER_ADDRESS, length: 24 }])
      .expectGeneralQueries();
    expect(scenario.machine.querier(1_000)).toMatchObject({ isQuerier: false, address: LOWER_ROUTER });
  });
  test('another subnet: the other querier is none of ours', () => {
    const scenario = Scenario.nonQuerier()
      .at(1_000)
      .linkUp([{ address: ip('192.0.2.1'), length: 24 }])
      .expectGeneralQueries(1_000);
    expect(scenario.machine.querier(1_000).isQuerier).toBe(true);
  });
});

describe('no address', () => {
  test('memberships are learnt and expire, no query is sent', () => {
    const scenario = new Scenario().linkUp([]).receive(report('IS_EX()')).expectPublished('EXCLUDE(; )').receive(leave());
    scenario.at(GMI).expectPublished('nothing').expectGeneralQueries();
    expect(scenario.machine.querier(GMI)).toEqual({ isQuerier: false, address: 0, otherQuerierPresentMs: undefined });
  });
  test('whoever asks is querier; when it falls silent there is none', () => {
    const scenario = new Scenario().linkUp([]).receive(query(), LOWER_ROUTER);
    expect(scenario.machine.querier(0)).toMatchObject({ isQuerier: false, address: LOWER_ROUTER });
    scenario.at(OQPI).expectGeneralQueries();
    expect(scenario.machine.querier(OQPI)).toMatchObject({ isQuerier: false, address: 0 });
    expect(scenario.machine.nextDeadline()).toBeUndefined();
  });
  test('an address that comes later starts the queries', () => {
    const scenario = new Scenario().linkUp([]).receive(report('IS_EX()')).at(5_000).linkUp().expectGeneralQueries(5_000);
    scenario.at(5_000 + QUERY_INTERVAL);
    expect(scenario.state(GROUP)).toBe('EXCLUDE(; )');
  });
  test('queries under way fall silent when the address goes', () => {
    const scenario = Scenario.up().receive(v2Report()).receive(leave()).linkUp([]).at(2_000).expectState('nothing');
    expect(scenario.takeSent()).toMatchObject([{ atMs: 0, source: OWN }]);
  });
});
