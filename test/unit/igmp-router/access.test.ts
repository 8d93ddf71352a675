/** Who may join what, which versions are heard, and who may be querier. */
import type { AccessRule } from '../../../control/protocol/igmp/router/api';
import { parsePrefix, type Ipv4Prefix } from '../../../control/protocol/packet/address';
import {
  GROUP,
  HOST,
  LOWER_ROUTER,
  OTHER_HOST,
  SSM_GROUP,
  Scenario,
  ip,
  leave,
  query,
  report,
  v1Report,
  v2Report,
} from './scenario';

function prefix(text: string): Ipv4Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`not a prefix: ${text}`);
  return parsed;
}

function rule(action: 'permit' | 'deny', fields: { group?: string; source?: string; reporter?: string } = {}): AccessRule {
  return {
    permit: action === 'permit',
    group: prefix(fields.group ?? '224.0.0.0/4'),
    source: fields.source === undefined ? undefined : prefix(fields.source),
    reporter: prefix(fields.reporter ?? '0.0.0.0/0'),
  };
}

describe('access rules', () => {
  test('the first that matches decides', () => {
    const access = [rule('deny', { group: '239.1.1.1' }), rule('permit', { group: '239.1.0.0/16' })];
    const scenario = Scenario.up({ access }).receive(v2Report()).expectCounted('access_denied').expectState('nothing');
    scenario
      .receive(v2Report(ip('239.1.1.2')))
      .expectCounted()
      .expectState('EXCLUDE(; )', ip('239.1.1.2'));
  });
  test('what none matches is denied', () => {
    Scenario.up({ access: [rule('deny', { group: '239.2.0.0/16' })] })
      .receive(v2Report())
      .expectCounted('access_denied');
  });
  test('a rule may be about the host', () => {
    const scenario = Scenario.up({ access: [rule('permit', { reporter: '10.1.0.51' })] });
    scenario.receive(v2Report(), HOST).expectCounted('access_denied').expectState('nothing');
    scenario.receive(v2Report(), OTHER_HOST).expectState('EXCLUDE(; )');
  });
  test.each(['ALLOW(a b c)', 'IS_IN(a b c)', 'TO_IN(a b c)'])('%s: sources are judged one by one, and counted once', (text) => {
    const scenario = Scenario.up({ access: [rule('deny', { source: '10.9.11.0/24' }), rule('permit')] }).receive(report(text));
    scenario.expectState('INCLUDE(a c)').expectCounted('access_denied');
    expect(scenario.membership()?.hosts[0]?.sources).toHaveLength(2);
  });
  test('a join of which no source is left is no join', () => {
    const scenario = Scenario.up({ access: [rule('permit', { source: '10.9.10.0/24' })] }).receive(report('ALLOW(b c)'));
    scenario.expectCounted('access_denied').expectPublished();
    expect(scenario.machine.membershipCount).toBe(0);
  });
  test.each(['IS_EX()', 'TO_EX(a)'])('%s wants more than it names: only a rule without source permits it', (text) => {
    const access = [rule('permit', { source: '10.9.0.0/16' })];
    Scenario.up({ access }).receive(report(text)).expectCounted('access_denied').expectState('nothing');
    Scenario.up({ access: [...access, rule('permit')] })
      .receive(report(text))
      .expectCounted();
  });
  test('leaving is never refused', () => {
    const access = [rule('permit', { reporter: '10.1.0.51' })];
    const scenario = Scenario.up({ access, quickLeave: 'always' });
    scenario.receive(report('ALLOW(a b)'), OTHER_HOST).receive(report('BLOCK(a)')).expectState('INCLUDE(b)').expectCounted();
    scenario.receive(report('TO_IN(c)')).expectState('nothing').expectCounted('access_denied');
    scenario.receive(v2Report(), OTHER_HOST).receive(leave()).expectState('nothing').expectCounted();
  });
});

describe('reporters of other subnets', () => {
  test('named as alternative are heard, their queries are not', () => {
    const scenario = Scenario.up({ alternativeSubnets: [prefix('192.0.2.0/24')] });
    scenario.receive(v2Report(), ip('192.0.2.7')).expectCounted().expectState('EXCLUDE(; )');
    scenario.receive(v2Report(), ip('198.51.100.7')).expectCounted('off_subnet_source');
    scenario.receive(query(), ip('192.0.2.7')).expectCounted('off_subnet_source');
  });
});

describe('versions that are ignored', () => {
  test.each([
    ['v1 report', { ignoreV1: true }, v1Report(), v2Report()],
    ['v2 report', { ignoreV2: true }, v2Report(), v1Report()],
  ])('a %s makes no state and leaves the version of the group alone', (_, settings, ignored, heard) => {
    const scenario = Scenario.up(settings).receive(ignored).expectCounted('version_ignored').expectState('nothing');
    scenario.receive(report('IS_EX()')).receive(ignored).expectCounted('version_ignored');
    expect(scenario.membership()?.compatibilityVersion).toBe(3);
    scenario.receive(heard).expectCounted().expectState('EXCLUDE(; )');
  });
  test('a leave is of version 2', () => {
    Scenario.up({ ignoreV2: true }).receive(report('IS_EX()')).receive(leave()).expectCounted('version_ignored').expectSent();
  });
  test('the source-specific range is exempt: there it is mapping that decides', () => {
    const ssmMapping = { anySourceV3: false, sourcesOf: () => [ip('10.9.10.0')] };
    Scenario.up({ ignoreV2: true, ssmMapping }).receive(v2Report(SSM_GROUP)).expectCounted().expectState('INCLUDE(a)', SSM_GROUP);
    Scenario.up({ ignoreV2: true }).receive(v2Report(SSM_GROUP)).expectCounted('ssm_ignored');
  });
});

describe('the list of queriers', () => {
  const queriers = [prefix('10.1.0.1')];
  test('who is not in it is not believed: no role, no timers', () => {
    const scenario = Scenario.up({ queriers }).receive(report('IS_EX()')).receive(query(), LOWER_ROUTER);
    scenario.expectCounted('querier_denied').expectLogged(/^warn: 10\.1\.0\.2 sends queries, but may not be querier here/);
    scenario
      .receive(query({ group: GROUP }), LOWER_ROUTER)
      .expectCounted('querier_denied')
      .expectLogged();
    expect(scenario.machine.querier(0).isQuerier).toBe(true);
    expect(scenario.timers()).toEqual({ group: 260_000 });
  });
  test('who is in it takes over as usual', () => {
    const scenario = Scenario.up({ queriers }).receive(query(), ip('10.1.0.1')).expectCounted();
    scenario.expectLogged(/10\.1\.0\.1 is querier/);
    expect(scenario.machine.querier(0).isQuerier).toBe(false);
  });
});
