/** Which hosts are known to want what (explicit tracking), and what is known not to be known. */
import type { TrackedHost } from '../../../control/protocol/igmp/router/api';
import { formatIpv4 } from '../../../control/protocol/packet/address';
import {
  GMI,
  GROUP,
  HOST,
  LIMITS,
  OTHER_HOST,
  SSM_GROUP,
  Scenario,
  ip,
  leave,
  nameOf,
  report,
  source,
  v1Report,
  v2Report,
} from './scenario';

const QUERY_RESPONSE_INTERVAL = 10_000;

/** Past the time the hosts have to answer the first query. */
function settled(settings = {}): Scenario {
  return Scenario.up(settings).at(QUERY_RESPONSE_INTERVAL);
}

function describeHost({ address, version, mode, sources }: TrackedHost): string {
  return `${formatIpv4(address)} v${version} ${mode}(${sources.map(nameOf).sort().join(' ')})`;
}

function hosts(scenario: Scenario, group = GROUP): string[] {
  return (scenario.membership(group)?.hosts ?? []).map(describeHost).sort();
}

function allKnown(scenario: Scenario, group = GROUP): boolean | undefined {
  return scenario.membership(group)?.allHostsKnown;
}

describe('what a host wants', () => {
  test.each([
    [['IS_EX(a b)'], 'exclude(a b)'],
    [['TO_EX()'], 'exclude()'],
    [['ALLOW(a)'], 'include(a)'],
    [['IS_IN(a)', 'IS_IN(b)'], 'include(a b)'],
    [['TO_IN(a)', 'TO_IN(b)'], 'include(a b)'],
    [['IS_EX(a)', 'IS_EX(b)'], 'exclude(b)'],
    [['ALLOW(a b c)', 'BLOCK(b)'], 'include(a c)'],
    [['ALLOW(a)', 'TO_EX(b)'], 'exclude(b)'],
    [['TO_EX(a)', 'BLOCK(b)'], 'exclude(a b)'],
    [['TO_EX(a b)', 'ALLOW(a)'], 'exclude(b)'],
    [['TO_EX(a b)', 'IS_IN(a)'], 'exclude(b)'],
    [['TO_EX(a)', 'TO_IN(b)'], 'include(b)'],
  ])('%j is %s', (records, expected) => {
    const scenario = settled();
    for (const text of records) scenario.receive(report(text));
    expect(hosts(scenario)).toEqual([`10.1.0.50 v3 ${expected}`]);
  });
  test.each([
    ['TO_IN({}) ends it', 'IS_EX()', 'TO_IN()'],
    ['so does the last BLOCK', 'ALLOW(a)', 'BLOCK(a)'],
  ])('%s', (_, join, end) => {
    const scenario = settled().receive(report('IS_EX()'), OTHER_HOST).receive(report(join)).receive(report(end));
    expect(hosts(scenario)).toEqual(['10.1.0.51 v3 exclude()']);
  });
  test('a v2 leave ends it', () => {
    const scenario = settled().receive(v2Report(), OTHER_HOST).receive(v2Report()).receive(leave());
    expect(hosts(scenario)).toEqual(['10.1.0.51 v2 exclude()']);
  });
  test('older reports are EXCLUDE({}) in their version', () => {
    const scenario = settled().receive(v1Report()).receive(v2Report(), OTHER_HOST);
    expect(hosts(scenario)).toEqual(['10.1.0.50 v1 exclude()', '10.1.0.51 v2 exclude()']);
  });
  test('a BLOCK of a host that never asked makes no host', () => {
    const scenario = settled().receive(report('ALLOW(a)')).receive(report('BLOCK(a)'), OTHER_HOST);
    expect(hosts(scenario)).toEqual(['10.1.0.50 v3 include(a)']);
  });
  test('an answer to a question about one source does not forget the others (§5.2)', () => {
    const scenario = settled().receive(report('ALLOW(a b c)')).receive(report('IS_IN(a)'));
    expect(hosts(scenario)).toEqual(['10.1.0.50 v3 include(a b c)']);
  });
  test('first and last report', () => {
    const scenario = settled().receive(report('IS_EX()')).after(5_000).receive(report('IS_EX()')).after(2_000);
    expect(scenario.membership()?.hosts).toMatchObject([{ ageMs: 7_000, lastReportMs: 2_000 }]);
  });
});

describe('a host that falls silent', () => {
  test('is forgotten after the Group Membership Interval, while others hold the group', () => {
    const scenario = settled().receive(report('IS_EX()')).after(100_000).receive(report('IS_EX()'), OTHER_HOST);
    const joinedAt = QUERY_RESPONSE_INTERVAL;
    expect(hosts(scenario.at(joinedAt + GMI - 1))).toEqual(['10.1.0.50 v3 exclude()', '10.1.0.51 v3 exclude()']);
    expect(hosts(scenario.at(joinedAt + GMI))).toEqual(['10.1.0.51 v3 exclude()']);
  });
  test('and speaks again is a new one, also when nothing else has happened in the group meanwhile', () => {
    const scenario = settled().receive(report('IS_EX()')).after(50_000).receive(report('TO_IN(a)'));
    scenario
      .after(50_000)
      .receive(report('IS_EX()'), OTHER_HOST)
      .after(GMI - 50_000);
    expect(hosts(scenario)).toEqual(['10.1.0.51 v3 exclude()']);
    scenario.receive(report('ALLOW(b)')).after(10);
    expect(hosts(scenario)).toEqual(['10.1.0.50 v3 include(b)', '10.1.0.51 v3 exclude()']);
    expect(scenario.membership()?.hosts.find(({ address }) => address === HOST)).toMatchObject({ ageMs: 10 });
  });
  test('a source that it repeats no more is forgotten with the source', () => {
    const scenario = settled()
      .receive(report('ALLOW(a b)'))
      .after(100_000)
      .receive(report('IS_IN(b)'))
      .after(GMI - 100_000);
    scenario.expectState('INCLUDE(b)');
    expect(hosts(scenario)).toEqual(['10.1.0.50 v3 include(b)']);
  });
  test('when nobody has excluded anything for as long, who excluded may want what is left', () => {
    const scenario = settled()
      .receive(report('IS_EX()'))
      .after(100_000)
      .receive(report('IS_IN(a)'))
      .after(GMI - 100_000);
    scenario.expectState('INCLUDE(a)');
    expect(hosts(scenario)).toEqual(['10.1.0.50 v3 include(a)']);
  });
});

describe('all hosts are known', () => {
  test('where all speak version 3', () => {
    const scenario = settled().receive(report('IS_EX()')).receive(report('ALLOW(a)'), OTHER_HOST);
    expect(allKnown(scenario)).toBe(true);
  });
  test('not before they had the time to answer the first query', () => {
    const scenario = Scenario.up().receive(report('IS_EX()'));
    expect(allKnown(scenario.at(QUERY_RESPONSE_INTERVAL - 1))).toBe(false);
    expect(allKnown(scenario.at(QUERY_RESPONSE_INTERVAL))).toBe(true);
  });
  test.each([
    ['a v1 report', v1Report(), OTHER_HOST],
    ['a v2 report', v2Report(), OTHER_HOST],
    ['a report from 0.0.0.0', report('IS_EX()'), 0],
  ])('not for the Group Membership Interval after %s', (_, message, from) => {
    const scenario = settled()
      .receive(report('IS_EX()'))
      .receive(message, from)
      .after(GMI - 1)
      .receive(report('IS_EX()'));
    expect(allKnown(scenario)).toBe(false);
    expect(allKnown(scenario.after(1))).toBe(true);
  });
  test.each([
    ['ignored', { ignoreV2: true }],
    [
      'denied',
      {
        access: [
          { permit: true, group: { address: GROUP, length: 32 }, source: undefined, reporter: { address: HOST, length: 32 } },
        ],
      },
    ],
  ])('not after a v2 report that is %s: it may silence others all the same', (_, settings) => {
    const scenario = settled(settings).receive(report('IS_EX()')).receive(v2Report(), OTHER_HOST);
    expect(allKnown(scenario)).toBe(false);
  });
  test('0.0.0.0 is no host', () => {
    const scenario = settled().receive(report('IS_EX()'), 0);
    expect(hosts(scenario)).toEqual([]);
  });
  test('not when one wants more sources than are remembered of it', () => {
    const many = Array.from({ length: 65 }, (_, index) => source('a') + index);
    const scenario = settled().receive({ kind: 'report-v3', records: [{ type: 5, group: GROUP, sources: many }] });
    expect(allKnown(scenario)).toBe(false);
    expect(scenario.membership()?.hosts[0]?.sources).toHaveLength(64);
  });
});

describe('the limit of tracked hosts', () => {
  const two = { limits: { ...LIMITS, trackedHosts: 2 } };
  test('leaves out the next one, in whatever group, and says so', () => {
    const scenario = settled(two)
      .receive(report('IS_EX()'))
      .receive(report('IS_EX()', 0xef010102))
      .receive(report('IS_EX()'), OTHER_HOST);
    expect(hosts(scenario)).toEqual(['10.1.0.50 v3 exclude()']);
    expect([allKnown(scenario), allKnown(scenario, 0xef010102)]).toEqual([false, true]);
    scenario.expectCounted().expectLogged(/95 % of the limit of tracked hosts of 2/, /^warn: limit of 2 tracked hosts reached/);
  });
  test('has room again for each that is forgotten', () => {
    const scenario = settled(two).receive(report('IS_EX()')).receive(report('IS_EX()', 0xef010102)).after(GMI);
    scenario.receive(report('IS_EX()'), OTHER_HOST).receive(report('IS_EX()'), ip('10.1.0.52'));
    expect(hosts(scenario)).toHaveLength(2);
  });
  test('also in a group of very many, which is not gone through at every change', () => {
    const crowd = { acceptOffSubnet: true, limits: { ...LIMITS, trackedHosts: 400 } };
    const scenario = settled(crowd);
    for (let index = 1; index <= 400; index += 1) {
      scenario.receive(report('IS_EX()'), ip('10.2.0.0') + index).after(1);
    }
    scenario.receive(report('ALLOW(a)')).after(GMI - 400 + 100);
    expect(hosts(scenario)).toHaveLength(299);
    scenario.at(3 * GMI).receive(report('IS_EX()'));
    expect(hosts(scenario)).toEqual(['10.1.0.50 v3 exclude()']);
  });
  test('a link that goes down gives all places back', () => {
    const scenario = settled(two).receive(report('IS_EX()')).receive(report('ALLOW(a)', SSM_GROUP)).linkDown().linkUp();
    scenario.after(QUERY_RESPONSE_INTERVAL).receive(report('IS_EX()'), OTHER_HOST).receive(report('IS_EX()'));
    expect(hosts(scenario)).toHaveLength(2);
  });
});
