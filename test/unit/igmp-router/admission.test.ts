/** What may make state at all: RFC 3376 §9.2, RFC 4604 §3, RFC 5771 §4, and the limits. */
import type { IgmpMessage } from '../../../control/protocol/igmp/message';
import {
  DEFAULTS,
  GMI,
  GROUP,
  HOST,
  LIMITS,
  OTHER_HOST,
  OWN,
  SSM_GROUP,
  Scenario,
  ip,
  leave,
  query,
  record,
  report,
  v1Report,
  v2Report,
} from './scenario';

function reportOf(...records: [string, number][]): IgmpMessage {
  return { kind: 'report-v3', records: records.map(([text, group]) => record(text, group)) };
}

describe('senders', () => {
  test('outside the subnet: refused, unless configured otherwise', () => {
    Scenario.up().receive(v2Report(), ip('10.2.0.1')).expectCounted('off_subnet_source').expectState('nothing');
    Scenario.up({ acceptOffSubnet: true }).receive(v2Report(), ip('10.2.0.1')).expectCounted().expectState('EXCLUDE(; )');
  });
  test('0.0.0.0 is accepted (§4.2.13)', () => {
    Scenario.up().receive(report('IS_EX()'), 0).expectCounted().expectState('EXCLUDE(; )');
  });
  test('our own address: refused', () => {
    Scenario.up().receive(report('IS_EX()'), OWN).expectCounted('own_address').expectState('nothing');
  });
  test('by unicast: taken when it is to an address of ours (§4.1.12, §4.2.14), refused otherwise', () => {
    Scenario.up().receiveAt(OWN, v2Report()).expectCounted().expectState('EXCLUDE(; )');
    Scenario.up().receiveAt(OTHER_HOST, v2Report()).expectCounted('bad_destination').expectState('nothing');
    Scenario.up()
      .receiveAt(OTHER_HOST, query({ version: 3 }))
      .expectCounted('bad_destination');
  });
  test('without Router Alert: refused only when it is required, except for v1 queries, which never had it', () => {
    Scenario.up().receive(v2Report(), HOST, false).expectCounted().expectState('EXCLUDE(; )');
    const strict = Scenario.up({ requireRouterAlert: true, version: 1 });
    strict.receive(v2Report(), HOST, false).expectCounted('no_router_alert').expectState('nothing');
    strict.receive(query({ version: 1 }), OTHER_HOST, false).expectCounted();
    strict.receive(v2Report(), HOST, true).expectState('EXCLUDE(; )');
  });
});

describe('the source-specific range (RFC 4604)', () => {
  test.each([
    ['v1 report', v1Report(SSM_GROUP)],
    ['v2 report', v2Report(SSM_GROUP)],
    ['leave', leave(SSM_GROUP)],
    ['IS_EX', report('IS_EX(a)', SSM_GROUP)],
    ['TO_EX', report('TO_EX(a)', SSM_GROUP)],
  ])('%s is ignored and changes neither state nor version', (_, message) => {
    const scenario = Scenario.up().receive(report('ALLOW(a)', SSM_GROUP)).receive(message).expectCounted('ssm_ignored');
    scenario.expectState('INCLUDE(a)', SSM_GROUP).expectSent();
    expect(scenario.membership(SSM_GROUP)).toMatchObject({ compatibilityVersion: 3, sources: [{ timerMs: GMI }] });
  });
  test('other records of the same report are processed', () => {
    const scenario = Scenario.up().receive(reportOf(['IS_EX()', SSM_GROUP], ['ALLOW(b)', SSM_GROUP], ['IS_EX()', GROUP]));
    scenario.expectCounted('ssm_ignored').expectState('INCLUDE(b)', SSM_GROUP).expectState('EXCLUDE(; )', GROUP);
  });
  test('TO_IN and BLOCK take effect', () => {
    const scenario = Scenario.up().receive(report('TO_IN(a b)', SSM_GROUP)).receive(report('BLOCK(a)', SSM_GROUP));
    scenario.expectSent('Q(232.1.1.1,a) @0').at(2_000).expectState('INCLUDE(b)', SSM_GROUP);
  });
  test('is the configured one', () => {
    const scenario = Scenario.up({ ssmRange: { address: ip('239.1.0.0'), length: 16 } })
      .receive(v2Report())
      .receive(v2Report(SSM_GROUP));
    scenario.expectCounted('ssm_ignored').expectState('nothing', GROUP).expectState('EXCLUDE(; )', SSM_GROUP);
  });
});

describe('groups that never have state', () => {
  test.each(['224.0.0.1', '224.0.0.251'])('%s is link-local', (group) => {
    const scenario = Scenario.up()
      .receive(v2Report(ip(group)))
      .receive(report('ALLOW(a)', ip(group)));
    scenario.expectCounted('link_local_group', 'link_local_group').expectPublished().expectState('nothing', ip(group));
  });
  test('224.0.1.1 is an ordinary group', () => {
    Scenario.up()
      .receive(v2Report(ip('224.0.1.1')))
      .expectCounted()
      .expectState('EXCLUDE(; )', ip('224.0.1.1'));
  });
  test('a unicast address is no group', () => {
    Scenario.up()
      .receive(v2Report(ip('10.0.0.1')))
      .expectCounted('record_bad_group')
      .expectPublished();
  });
});

describe('limits', () => {
  const two = { limits: { ...LIMITS, groups: 2, sourcesPerGroup: 2 } };

  test('a group too many is refused, those there live on', () => {
    const scenario = Scenario.up(two).receive(
      reportOf(['IS_EX()', 0xef010101], ['IS_EX()', 0xef010102], ['IS_EX()', 0xef010103]),
    );
    scenario
      .expectCounted('group_limit')
      .expectLogged(/^warn: 95 % of the group limit of 2 in use/, /^warn: group limit of 2 reached/)
      .expectState('nothing', 0xef010103);
    scenario.receive(v2Report(0xef010101)).receive(v2Report(0xef010103)).expectCounted('group_limit').expectLogged();
    scenario
      .receive(leave(0xef010102))
      .at(2_000)
      .receive(v2Report(0xef010103))
      .expectCounted()
      .expectState('EXCLUDE(; )', 0xef010103);
  });
  test('INCLUDE: the sources that fit are taken, the others refused, known ones refreshed', () => {
    const scenario = Scenario.up(two)
      .receive(report('ALLOW(a)'))
      .at(1_000)
      .receive(report('ALLOW(a b c)'))
      .expectState('INCLUDE(a b)');
    scenario.expectCounted('source_limit').expectLogged(/^warn: source limit of 2 reached in group 239\.1\.1\.1/);
    expect(scenario.timers()).toEqual({ a: GMI, b: GMI });
  });
  test('EXCLUDE: excluded sources that do not fit stay forwarded, none is cut off', () => {
    const scenario = Scenario.up(two).receive(report('IS_EX(a b c)')).expectState('EXCLUDE(; a b)').expectCounted('source_limit');
    scenario.receive(report('BLOCK(d)')).expectState('EXCLUDE(; a b)').expectSent().expectCounted('source_limit');
  });
  test('what a record forgets makes room for what it names', () => {
    Scenario.up(two).receive(report('IS_EX(a b)')).receive(report('IS_EX(c d)')).expectState('EXCLUDE(c d; )').expectCounted();
  });
  test('with no room at all nothing is kept and nothing is published', () => {
    const scenario = Scenario.up({ limits: { ...LIMITS, groups: 2, sourcesPerGroup: 0 } })
      .receive(report('ALLOW(a)'))
      .expectState('nothing');
    scenario.expectPublished().expectCounted('source_limit');
    expect(scenario.machine.memberships(0)).toEqual([]);
  });
  test('a zero Last Member Query Interval does not hang', () => {
    const timing = { ...DEFAULTS.timing, lastMemberQueryIntervalMs: 0, lastMemberQueryCount: 0 };
    Scenario.up({ timing }).receive(v2Report()).receive(leave()).at(1_000).expectState('nothing');
  });
});
