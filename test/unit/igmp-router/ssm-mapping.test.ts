/** Joins without sources in the source-specific range, by hosts that cannot name any (peers: IOS `ssm-map`). */
import type { SsmMapping } from '../../../control/protocol/igmp/router/api';
import {
  GMI,
  HOST,
  LIMITS,
  LMQT,
  OTHER_HOST,
  SSM_GROUP,
  Scenario,
  ip,
  leave,
  query,
  report,
  source,
  v1Report,
  v2Report,
  LOWER_ROUTER,
} from './scenario';

const OTHER_GROUP = ip('232.1.1.2');

/** A mapping whose answers a test can change; 'sources-mapped' tells the machine. */
class Answers implements SsmMapping {
  readonly anySourceV3: boolean;
  #answer: readonly number[] | 'pending' | undefined;

  constructor(answer: string | undefined, anySourceV3 = false) {
    this.anySourceV3 = anySourceV3;
    this.become(answer);
  }

  become(answer: string | undefined): void {
    this.#answer = answer === 'pending' || answer === undefined ? answer : answer.split(' ').filter(Boolean).map(source);
  }

  sourcesOf(): readonly number[] | 'pending' | undefined {
    return this.#answer;
  }
}

function mapped(
  answer: string | undefined,
  settings = {},
): { readonly scenario: Scenario; tell(next: string | undefined): Scenario } {
  const ssmMapping = new Answers(answer);
  const scenario = Scenario.up({ ssmMapping, ...settings });
  return {
    scenario,
    tell(next) {
      ssmMapping.become(next);
      return scenario.input({ kind: 'sources-mapped', group: SSM_GROUP });
    },
  };
}

describe('a report', () => {
  test.each([
    ['v1', v1Report(SSM_GROUP)],
    ['v2', v2Report(SSM_GROUP)],
  ])('of %s is IS_IN of what the mapping names, and leaves the group in version 3', (_, message) => {
    const { scenario } = mapped('a b');
    scenario.receive(message).expectState('INCLUDE(a b)', SSM_GROUP).expectCounted();
    expect(scenario.timers(SSM_GROUP)).toEqual({ a: GMI, b: GMI });
    expect(scenario.membership(SSM_GROUP)?.compatibilityVersion).toBe(3);
    scenario.receive(report('BLOCK(c)', SSM_GROUP)).expectCounted(...(message.kind === 'report-v1' ? COUNTED : []));
  });
  test('of a group without sources is ignored (RFC 4604 §3.5)', () => {
    mapped(undefined).scenario.receive(v2Report(SSM_GROUP)).expectCounted('ssm_ignored').expectState('nothing', SSM_GROUP);
    mapped('').scenario.receive(v2Report(SSM_GROUP)).expectCounted('ssm_ignored');
  });
  test('outside the range is what it always was', () => {
    mapped('a')
      .scenario.receive(v2Report(ip('239.1.1.1')))
      .expectState('EXCLUDE(; )');
  });
  test('is judged by the access rules source by source', () => {
    const any = { group: { address: ip('224.0.0.0'), length: 4 }, reporter: { address: 0, length: 0 } };
    const access = [{ permit: true, source: { address: source('a'), length: 32 }, ...any }];
    const { scenario } = mapped('a b', { access });
    scenario.receive(v2Report(SSM_GROUP)).expectState('INCLUDE(a)', SSM_GROUP).expectCounted('access_denied');
  });
});

const COUNTED = ['ignored_in_compatibility_mode'] as const;

describe('a record of IGMPv3 for every source', () => {
  test.each(['IS_EX(b)', 'TO_EX(b)'])('%s is mapped only when told so, without what it excludes', (text) => {
    mapped('a b').scenario.receive(report(text, SSM_GROUP)).expectCounted('ssm_ignored').expectState('nothing', SSM_GROUP);
    const { scenario } = mapped('a b', { ssmMapping: new Answers('a b', true) });
    scenario.receive(report(text, SSM_GROUP)).expectCounted().expectState('INCLUDE(a)', SSM_GROUP);
    scenario.receive(report('TO_IN()', SSM_GROUP)).expectSent('Q(232.1.1.1,a) @0').at(LMQT).expectState('nothing', SSM_GROUP);
  });
});

describe('a leave', () => {
  test('asks for exactly the mapped sources, and v2 hosts answer for the group', () => {
    const { scenario } = mapped('a b');
    scenario.receive(v2Report(SSM_GROUP)).receive(report('ALLOW(c)', SSM_GROUP), OTHER_HOST).receive(leave(SSM_GROUP));
    expect(scenario.timers(SSM_GROUP)).toEqual({ a: LMQT, b: LMQT, c: GMI });
    scenario.expectSent('Q(232.1.1.1,a b) @0').at(500).receive(v2Report(SSM_GROUP), OTHER_HOST).at(LMQT);
    scenario.expectState('INCLUDE(a b c)', SSM_GROUP);
  });
  test('of the last host ends them', () => {
    const { scenario } = mapped('a b');
    scenario.receive(v2Report(SSM_GROUP)).receive(leave(SSM_GROUP)).at(LMQT).expectState('nothing', SSM_GROUP);
  });
  test('with quick leave ends them at once', () => {
    const { scenario } = mapped('a b', { quickLeave: 'always' });
    scenario.receive(v2Report(SSM_GROUP)).receive(leave(SSM_GROUP)).expectState('nothing', SSM_GROUP).expectSent();
  });
  test('on an interface of version 2 is asked with a query for the group', () => {
    const { scenario } = mapped('a b', { version: 2 });
    scenario
      .receive(v2Report(SSM_GROUP))
      .receive(leave(SSM_GROUP))
      .at(LMQT - 1)
      .expectState('INCLUDE(a b)', SSM_GROUP);
    scenario.at(LMQT).expectState('nothing', SSM_GROUP).expectSent('Q(232.1.1.1) @0', 'Q(232.1.1.1) @1000');
  });
  test('is ignored while a v1 host is there, which no specific query reaches; nor does a v3 host take from it', () => {
    const { scenario } = mapped('a b', { quickLeave: 'always' });
    scenario.receive(v1Report(SSM_GROUP)).receive(v2Report(SSM_GROUP), OTHER_HOST).receive(leave(SSM_GROUP), OTHER_HOST);
    scenario.receive(report('BLOCK(a)', SSM_GROUP)).receive(report('TO_IN(c)', SSM_GROUP));
    scenario
      .expectState('INCLUDE(a b c)', SSM_GROUP)
      .expectCounted(...COUNTED, ...COUNTED, ...COUNTED)
      .expectSent();
    scenario.at(GMI).expectState('nothing', SSM_GROUP);
  });
  test('on an interface of version 1 is ignored', () => {
    const { scenario } = mapped('a', { version: 1, quickLeave: 'always' });
    scenario.receive(v2Report(SSM_GROUP)).receive(leave(SSM_GROUP)).expectState('INCLUDE(a)', SSM_GROUP);
  });
  test('without a mapping is ignored (RFC 4604 §3.7)', () => {
    mapped(undefined).scenario.receive(leave(SSM_GROUP)).expectCounted('ssm_ignored');
  });
});

describe('sources that are not known yet', () => {
  test('are waited for: the join takes effect with the answer', () => {
    const { scenario, tell } = mapped('pending');
    scenario.receive(v2Report(SSM_GROUP)).expectCounted().expectState('nothing', SSM_GROUP).at(3_000);
    tell('a').expectState('INCLUDE(a)', SSM_GROUP);
    expect(scenario.membership(SSM_GROUP)).toMatchObject({ lastReporter: HOST, hosts: [{ address: HOST, version: 2 }] });
  });
  test('that turn out not to exist: the join is ignored', () => {
    const { scenario, tell } = mapped('pending');
    scenario.receive(v2Report(SSM_GROUP));
    tell(undefined).expectCounted('ssm_ignored').expectState('nothing', SSM_GROUP);
  });
  test('a host that has left, or fell silent, is not waited for', () => {
    const left = mapped('pending');
    left.scenario.receive(v2Report(SSM_GROUP)).receive(leave(SSM_GROUP));
    left.tell('a').expectState('nothing', SSM_GROUP);
    const silent = mapped('pending');
    silent.scenario.receive(v2Report(SSM_GROUP)).at(GMI);
    silent.tell('a').expectState('nothing', SSM_GROUP);
  });
  test('no more hosts wait than there may be groups; who is silent makes room', () => {
    const { scenario } = mapped('pending', { limits: { ...LIMITS, groups: 2 } });
    scenario.receive(v2Report(SSM_GROUP)).receive(v2Report(OTHER_GROUP)).receive(v2Report(OTHER_GROUP), OTHER_HOST);
    scenario.expectCounted('group_limit').receive(v2Report(SSM_GROUP)).expectCounted();
    scenario.at(GMI).receive(v2Report(OTHER_GROUP), OTHER_HOST).expectCounted();
  });
  test('the link going down ends the wait', () => {
    const { scenario, tell } = mapped('pending');
    scenario.receive(v2Report(SSM_GROUP)).linkDown().linkUp();
    tell('a').expectState('nothing', SSM_GROUP);
  });
  test('asked for again: until the answer the last one holds', () => {
    const { scenario, tell } = mapped('a');
    scenario.receive(v2Report(SSM_GROUP)).at(100_000);
    tell('pending').receive(v2Report(SSM_GROUP));
    expect(scenario.timers(SSM_GROUP)).toEqual({ a: GMI });
  });
});

describe('another answer than before', () => {
  test('new sources join at once, those it names no more run out', () => {
    const { scenario, tell } = mapped('a b');
    scenario.receive(v2Report(SSM_GROUP)).at(100_000);
    tell('b c').expectState('INCLUDE(a b c)', SSM_GROUP);
    expect(scenario.timers(SSM_GROUP)).toEqual({ a: GMI - 100_000, b: GMI - 100_000, c: GMI });
    scenario.receive(v2Report(SSM_GROUP)).at(GMI).expectState('INCLUDE(b c)', SSM_GROUP);
  });
  test('does not touch what hosts of version 3 asked for by name', () => {
    const { scenario, tell } = mapped('a');
    scenario.receive(report('ALLOW(z)', SSM_GROUP));
    tell('b').expectState('INCLUDE(z)', SSM_GROUP);
  });
  test('none any more: nothing joins, what is there runs out', () => {
    const { scenario, tell } = mapped('a');
    scenario.receive(v2Report(SSM_GROUP)).at(1_000);
    tell(undefined).receive(v2Report(SSM_GROUP)).expectCounted('ssm_ignored').at(GMI).expectState('nothing', SSM_GROUP);
  });
  test('with another mapping in new settings, as if it had been told', () => {
    const { scenario } = mapped('a');
    scenario
      .receive(v2Report(SSM_GROUP))
      .configure({ ssmMapping: new Answers('b') })
      .expectState('INCLUDE(a b)', SSM_GROUP);
  });
});

test('a non-querier leaves the asking to the querier', () => {
  const { scenario } = mapped('a');
  scenario.receive(query(), LOWER_ROUTER).receive(v2Report(SSM_GROUP)).receive(leave(SSM_GROUP)).expectSent();
  scenario.expectState('INCLUDE(a)', SSM_GROUP);
});
