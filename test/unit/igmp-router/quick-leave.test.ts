/** Leaving without asking: at once for whoever is there ('always'), or when no other host is known to want it ('tracked'). */
import type { IgmpMessage } from '../../../control/protocol/igmp/message';
import type { IgmpEvent } from '../../../control/protocol/igmp/router/api';
import { GMI, GROUP, HOST, LMQT, OTHER_HOST, Scenario, ip, leave, record, report, v1Report, v2Report } from './scenario';

const NOW = 10_000;

function received(message: IgmpMessage): IgmpEvent {
  return { kind: 'received', packet: { source: HOST, destination: GROUP, routerAlert: true, message, skipped: [] } };
}

describe('off', () => {
  test('asks, whoever is known (§6.4.2)', () => {
    const scenario = Scenario.up().at(NOW).receive(report('IS_EX()')).receive(report('TO_IN()')).expectState('EXCLUDE(; )');
    scenario
      .expectSent(`Q(G) @${NOW}`)
      .at(NOW + LMQT)
      .expectState('nothing');
  });
});

describe('always', () => {
  const up = () => Scenario.up({ quickLeave: 'always' });
  test.each([
    ['v2 leave', v2Report(), leave()],
    ['TO_IN({})', report('IS_EX()'), report('TO_IN()')],
    ['TO_IN({})', report('ALLOW(a b)'), report('TO_IN()')],
    ['BLOCK of every source', report('ALLOW(a b)'), report('BLOCK(a b)')],
  ])('a %s ends the group in the same input, with whoever else is there', (_, join, end) => {
    const scenario = up().receive(join).receive(join, OTHER_HOST);
    const effects = scenario.machine.input(received(end), scenario.nowMs);
    expect(effects).toEqual([{ kind: 'membership', group: GROUP, wanted: undefined }]);
    scenario.expectState('nothing').expectSent();
  });
  test('BLOCK ends what it names', () => {
    up().receive(report('ALLOW(a b)')).receive(report('BLOCK(a)')).expectState('INCLUDE(b)').expectSent();
    up().receive(report('IS_EX()')).receive(report('BLOCK(a)')).expectState('EXCLUDE(; a)').expectSent();
  });
  test('TO_IN(A) leaves A and what others asked for by name', () => {
    const scenario = up().receive(report('IS_EX(y)')).receive(report('ALLOW(x)')).receive(report('TO_IN(a)'));
    scenario.expectState('INCLUDE(a)').expectPublished('EXCLUDE(; y)', 'EXCLUDE(x; y)', 'INCLUDE(a)').expectSent();
  });
  test('a group with a v1 host ignores leaves (RFC 3376 §7.3.2)', () => {
    up().receive(v1Report()).receive(v2Report(), OTHER_HOST).receive(leave(), OTHER_HOST).expectState('EXCLUDE(; )').expectSent();
  });
  test('is for the querier: others ignore leaves (RFC 2236 §3)', () => {
    Scenario.nonQuerier({ quickLeave: 'always' }).receive(v2Report()).receive(leave()).expectState('EXCLUDE(; )');
  });
  test('what one report takes away and gives back is no change', () => {
    const records = [record('TO_IN()'), record('TO_EX()')];
    const scenario = up().receive(report('IS_EX()')).expectPublished('EXCLUDE(; )');
    scenario.receive({ kind: 'report-v3', records }).expectPublished().expectState('EXCLUDE(; )');
  });
});

describe('tracked', () => {
  const up = () => Scenario.up({ quickLeave: 'tracked' }).at(NOW);
  test('the last host of a group ends it at once', () => {
    const scenario = up().receive(report('IS_EX()')).receive(report('IS_EX()'), OTHER_HOST);
    scenario.receive(report('TO_IN()')).expectState('EXCLUDE(; )').expectSent(`Q(G) @${NOW}`);
    scenario.receive(report('IS_EX()'), OTHER_HOST).after(500).receive(report('TO_IN()'), OTHER_HOST);
    scenario.expectState('nothing').expectSent().expectPublished('EXCLUDE(; )', 'nothing');
  });
  test('the last host ends a group that was asked for because of it, and that it has answered for', () => {
    const scenario = up().receive(report('IS_EX()')).receive(report('ALLOW(c)'), OTHER_HOST);
    // §6.4.1: deletes what EXCLUDE mode forwards anyway, so the state does not say any more that the other host wants it.
    scenario.receive(report('IS_EX()')).expectState('EXCLUDE(; )').expectSent();
    scenario.receive(report('TO_IN()')).expectSent(`Q(G) @${NOW}`).receive(report('IS_IN(c)'), OTHER_HOST).expectState('EXCLUDE(c; )');
    scenario.receive(report('BLOCK(c)'), OTHER_HOST).expectState('nothing').expectSent();
  });
  test('a host that was silent for the Group Membership Interval is not waited for', () => {
    const scenario = up()
      .receive(report('IS_EX()'))
      .after(GMI - 1)
      .receive(report('IS_EX()'), OTHER_HOST)
      .after(1);
    scenario.receive(report('TO_IN()'), OTHER_HOST).expectState('nothing').expectSent();
  });
  test('a source that no other host wants ends at once, one that another wants is asked for', () => {
    const scenario = up().receive(report('ALLOW(a b)')).receive(report('ALLOW(b)'), OTHER_HOST).receive(report('BLOCK(a b)'));
    scenario.expectState('INCLUDE(b)').expectSent(`Q(G,b) @${NOW}`);
    scenario.receive(report('IS_IN(b)'), OTHER_HOST).after(LMQT).expectState('INCLUDE(b)');
  });
  test('in EXCLUDE mode a source ends at once when every other host excludes it', () => {
    const scenario = up().receive(report('IS_EX()')).receive(report('IS_EX(a)'), OTHER_HOST).receive(report('IS_EX()'));
    scenario.receive(report('BLOCK(a)')).expectState('EXCLUDE(; a)').expectSent();
    scenario.receive(report('BLOCK(b)')).expectState('EXCLUDE(b; a)').expectSent(`Q(G,b) @${NOW}`);
  });
  test('a host that asked by name before the group went to EXCLUDE mode still counts', () => {
    const scenario = up().receive(report('ALLOW(a)'), OTHER_HOST).receive(report('IS_EX()')).expectState('EXCLUDE(; )');
    scenario.receive(report('BLOCK(a)')).expectState('EXCLUDE(a; )').expectSent(`Q(G,a) @${NOW}`);
  });
  test('asks for the group when another host named a source that the state has since forgotten (§6.4.1)', () => {
    const scenario = up().receive(report('ALLOW(a)'), OTHER_HOST).receive(report('IS_EX()')).expectState('EXCLUDE(; )');
    scenario.receive(report('TO_IN()')).expectSent(`Q(G) @${NOW}`).receive(report('IS_IN(a)'), OTHER_HOST);
    scenario.after(LMQT).expectState('INCLUDE(a)');
  });
  test('a TO_IN whose list comes in two messages loses none of it', () => {
    const scenario = up().receive(report('IS_EX()')).receive(report('TO_IN(a)')).expectState('INCLUDE(a)');
    scenario.receive(report('TO_IN(b)')).expectState('INCLUDE(a b)').expectSent(`Q(G,a) @${NOW}`);
  });
  test.each([
    ['a v2 host, even a single one: others may keep silent because of it', v2Report(), leave(), OTHER_HOST],
    ['hosts behind 0.0.0.0', report('IS_EX()'), report('TO_IN()'), 0],
  ])('asks in a group with %s', (_, join, end, from) => {
    up()
      .receive(join, from)
      .receive(end, from)
      .expectState('EXCLUDE(; )')
      .expectSent(`Q(G) @${NOW}`)
      .after(LMQT)
      .expectState('nothing');
  });
  test('asks while the hosts may not have answered the first query yet', () => {
    const scenario = Scenario.up({ quickLeave: 'tracked' })
      .at(NOW - 1)
      .receive(report('IS_EX()'))
      .receive(report('TO_IN()'));
    scenario.expectState('EXCLUDE(; )').expectSent(`Q(G) @${NOW - 1}`);
  });
  test('asks in a group of very many hosts, rather than going through all of them at every leave', () => {
    const crowd = (size: number): Scenario => {
      const scenario = Scenario.up({ quickLeave: 'tracked', acceptOffSubnet: true }).at(NOW);
      for (let index = 1; index < size; index += 1) scenario.receive(report('ALLOW(b)'), ip('10.2.0.0') + index);
      return scenario.receive(report('ALLOW(a)')).receive(report('BLOCK(a)'));
    };
    crowd(200).expectSent().expectState('INCLUDE(b)');
    crowd(300).expectSent(`Q(G,a) @${NOW}`).expectState('INCLUDE(a b)');
  });
  test('the last host in EXCLUDE mode leaves those that asked by name, who are asked', () => {
    const scenario = up().receive(report('IS_EX()')).receive(report('ALLOW(a)'), OTHER_HOST).receive(report('TO_IN()'));
    scenario.expectState('INCLUDE(a)').expectSent(`Q(G,a) @${NOW}`);
  });
});
