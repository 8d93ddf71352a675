/** How many groups there may be: in all, on the interface, of one host; and what is said when a limit comes near. */
import { GMI, LIMITS, LMQT, OTHER_HOST, Scenario, ip, leave, report, v2Report } from './scenario';
import type { IgmpInterfaceSettings, IgmpLimits } from '../../../control/protocol/igmp/router/api';

const G1 = ip('239.1.1.1');
const G2 = ip('239.1.1.2');
const G3 = ip('239.1.1.3');

function limited(limits: Partial<IgmpLimits>, settings: Partial<IgmpInterfaceSettings> = {}): Scenario {
  return Scenario.up({ ...settings, limits: { ...LIMITS, total: { limit: Infinity, used: 0 }, ...limits } });
}

function groups(scenario: Scenario): number {
  return scenario.machine.membershipCount;
}

describe('groups of one host', () => {
  test('one too many is refused, new or not; those it is in are refreshed', () => {
    const scenario = limited({ groupsPerHost: 2 }).receive(v2Report(G1)).receive(v2Report(G2)).receive(v2Report(G3), OTHER_HOST);
    scenario
      .receive(v2Report(ip('239.1.1.4')))
      .expectCounted('host_limit')
      .expectLogged(/^warn: limit of 2 groups for each host/);
    scenario.at(1_000).receive(v2Report(G3)).expectCounted('host_limit').expectLogged();
    expect(scenario.timers(G3)).toEqual({ group: GMI - 1_000 });
    scenario.receive(v2Report(G1)).expectCounted();
    expect(scenario.timers(G1)).toEqual({ group: GMI });
  });
  test('leaving makes room, at once', () => {
    const scenario = limited({ groupsPerHost: 1 }).receive(report('IS_EX()', G1)).receive(report('TO_IN()', G1));
    scenario.receive(report('IS_EX()', G2)).expectCounted();
    expect(groups(scenario)).toBe(2);
  });
  test('so does silence', () => {
    const scenario = limited({ groupsPerHost: 1 }).receive(v2Report(G1)).at(100_000).receive(v2Report(G1), OTHER_HOST).at(GMI);
    scenario.receive(v2Report(G2)).expectCounted();
  });
  test('0.0.0.0 is many hosts: not limited', () => {
    limited({ groupsPerHost: 1 }).receive(v2Report(G1), 0).receive(v2Report(G2), 0).expectCounted();
  });
});

describe('groups of all interfaces', () => {
  test('are counted together, and given back by leaving, by expiry and with the link', () => {
    const total = { limit: 3, used: 0 };
    const one = limited({ total });
    const other = limited({ total });
    one.receive(v2Report(G1)).receive(v2Report(G2));
    other.receive(v2Report(G1)).receive(v2Report(G2)).expectCounted('total_limit');
    expect([total.used, groups(other)]).toEqual([3, 1]);
    one.receive(leave(G1)).at(LMQT);
    expect(total.used).toBe(2);
    other.receive(v2Report(G2)).expectCounted();
    one.linkDown();
    expect(total.used).toBe(2);
    other.at(GMI);
    expect(total.used).toBe(0);
  });
  test('another budget takes over what is there', () => {
    const [before, after] = [
      { limit: 10, used: 5 },
      { limit: 10, used: 1 },
    ];
    const scenario = limited({ total: before }).receive(v2Report(G1));
    scenario.configure({ limits: { ...LIMITS, total: after } });
    expect([before.used, after.used]).toEqual([5, 2]);
  });
});

describe('what takes no place', () => {
  test('groups in an exception', () => {
    const exceptions = [{ address: ip('239.1.1.2'), length: 31 }];
    const total = { limit: 1, used: 0 };
    const scenario = limited({ groups: 1, groupsPerHost: 1, total, exceptions });
    scenario.receive(v2Report(G1)).receive(v2Report(G2)).receive(v2Report(G3)).expectCounted();
    expect([groups(scenario), total.used]).toEqual([3, 1]);
    scenario.receive(v2Report(ip('239.1.1.4'))).expectCounted('host_limit');
    scenario.receive(v2Report(ip('239.1.1.4')), OTHER_HOST).expectCounted('group_limit');
    scenario.linkDown();
    expect(total.used).toBe(0);
  });
  test('static groups, whoever joins them; but the hosts of one that is static no more', () => {
    const total = { limit: 1, used: 0 };
    const scenario = limited({ groups: 1, total }, { staticGroups: [{ group: G1, sources: [] }] });
    scenario.receive(v2Report(G1)).receive(v2Report(G2)).expectCounted();
    expect([groups(scenario), total.used]).toEqual([2, 1]);
    scenario.configure({ staticGroups: [], limits: { ...LIMITS, groups: 1, total } });
    expect([groups(scenario), total.used]).toEqual([2, 2]);
    scenario.at(GMI);
    expect([groups(scenario), total.used]).toEqual([0, 0]);
  });
});

test('a limit below what is there refuses new groups and keeps the others', () => {
  const scenario = limited({})
    .receive(v2Report(G1))
    .receive(v2Report(G2))
    .configure({ limits: { ...LIMITS, groups: 1 } });
  scenario.receive(v2Report(G3)).expectCounted('group_limit').receive(v2Report(G1)).expectCounted();
  expect(groups(scenario)).toBe(2);
});

describe('usage', () => {
  const join = (scenario: Scenario, from: number, to: number): Scenario => {
    for (let index = from; index < to; index += 1) scenario.receive(report('ALLOW(a)', G1 + index));
    return scenario;
  };
  const part = (scenario: Scenario, from: number, to: number): Scenario => {
    for (let index = from; index < to; index += 1) scenario.receive(report('BLOCK(a)', G1 + index));
    return scenario;
  };
  const start = (limit: number) => limited({ groups: limit }, { quickLeave: 'always' });
  test('is said at 80 % and at 95 %, once each', () => {
    const scenario = join(start(20), 0, 15).expectLogged();
    join(scenario, 15, 16).expectLogged('warn: 80 % of the group limit of 20 in use');
    join(scenario, 16, 18).expectLogged();
    join(scenario, 18, 19).expectLogged('warn: 95 % of the group limit of 20 in use');
  });
  test('and when it is clearly less again: a group that comes and goes at the mark is no news', () => {
    const scenario = join(start(40), 0, 32).expectLogged('warn: 80 % of the group limit of 40 in use');
    part(scenario, 0, 2).expectLogged();
    join(scenario, 0, 2).expectLogged();
    part(scenario, 0, 3).expectLogged('info: less than 80 % of the group limit of 40 in use again');
    join(scenario.after(60_000), 0, 3).expectLogged('warn: 80 % of the group limit of 40 in use');
  });
  test('hosts cannot make it said more often than once a minute', () => {
    const scenario = start(2);
    for (let round = 0; round < 10; round += 1) part(join(scenario, 0, 2), 0, 2);
    expect(scenario.takeLogged()).toHaveLength(2);
  });
  test('is said of all interfaces together too', () => {
    const scenario = limited({ total: { limit: 2, used: 1 } }).receive(v2Report(G1));
    scenario.expectLogged('warn: 95 % of the limit of all memberships of 2 in use');
  });
});
