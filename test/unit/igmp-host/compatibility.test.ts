/** RFC 3376 §7.2.1, RFC 2236 §3 and §6, RFC 1112 Appendix I, RFC 4604 §2.2: hosts below an older querier. */
import type { IgmpMessage } from '../../../control/protocol/igmp/message';
import {
  DEFAULTS,
  GROUP,
  HostScenario,
  NEIGHBOUR,
  OLDER_QUERIER_TIMEOUT,
  OTHER_GROUP,
  SSM_GROUP,
  ip,
  query,
  source,
} from './scenario';

const V1 = { version: 1 } as const;
const V2 = { version: 2 } as const;
const v1Query = query({ ...V1, querierRobustness: 0, querierQueryIntervalMs: 0 });

/** Wants this, and has answered an older query at 100 s. */
function below(version: 1 | 2, wanted = 'EXCLUDE()'): HostScenario {
  const host = HostScenario.wanting(wanted).ask({ version }).after(20_000);
  host.takeSent();
  host.takeLogged();
  return host;
}

const otherReport = (kind: 'report-v1' | 'report-v2', group = GROUP): IgmpMessage => ({ kind, group });

describe('the version follows the querier', () => {
  test('down with an older general query at once, up again when its timer ends', () => {
    const host = HostScenario.wanting('EXCLUDE()').ask(V2);
    expect(host.version).toBe(2);
    expect(host.machine.snapshot(host.nowMs).olderVersionMs).toBe(OLDER_QUERIER_TIMEOUT);
    host.after(OLDER_QUERIER_TIMEOUT - 1);
    expect(host.version).toBe(2);
    host.after(1);
    expect(host.version).toBe(3);
    expect(host.machine.snapshot(host.nowMs).olderVersionMs).toBeUndefined();
    host.expectLogged(/^warn: .*IGMPv2: an older querier is present, 10\.7\.0\.1/, /^info: .*IGMPv3: no older querier is left/);
  });

  test('every older query keeps it down, whoever else asks in version 3', () => {
    const host = HostScenario.wanting('EXCLUDE()')
      .ask(V2)
      .after(200_000)
      .ask(V2)
      .ask()
      .after(OLDER_QUERIER_TIMEOUT - 1);
    expect(host.version).toBe(2);
  });

  test('from 1 to 2 while the version 2 timer runs, then to 3', () => {
    const host = HostScenario.wanting('EXCLUDE()').ask(V1).after(1_000).ask(V2);
    expect(host.version).toBe(1);
    expect(host.machine.snapshot(host.nowMs).olderVersionMs).toBe(OLDER_QUERIER_TIMEOUT);
    host.after(OLDER_QUERIER_TIMEOUT - 1_000);
    expect(host.version).toBe(2);
    host.after(1_000);
    expect(host.version).toBe(3);
  });

  test('from 1 to 3 without a version 2 querier', () => {
    const host = below(1).at(100_000 + OLDER_QUERIER_TIMEOUT);
    expect(host.version).toBe(3);
  });

  test('a version 2 query about one group changes no version', () => {
    const host = HostScenario.wanting('EXCLUDE(a)')
      .ask({ ...V2, group: GROUP })
      .after(60_000)
      .expectSent('IS_EX(a) @100501');
    expect(host.version).toBe(3);
  });

  test('an older query without effect on its way here has none on the version', () => {
    const host = HostScenario.wanting('EXCLUDE()').receive(query(V2), { routerAlert: false });
    expect(host.version).toBe(3);
  });

  test('the configured version is the highest', () => {
    const host = HostScenario.up({ version: 2 }).want('EXCLUDE(a)').at(60_000).expectSent('v2 @0', 'v2 @5001').ask(V1);
    expect(host.version).toBe(1);
    expect(host.machine.snapshot(host.nowMs).olderVersionMs).toBe(OLDER_QUERIER_TIMEOUT);
    host.after(OLDER_QUERIER_TIMEOUT);
    expect(host.version).toBe(2);
    expect(host.machine.snapshot(host.nowMs).olderVersionMs).toBeUndefined();
    expect(HostScenario.up({ version: 1 }).ask(V2).machine.nextDeadline()).toBeUndefined();
  });

  test('a late timer does not keep an old version alive', () => {
    const host = HostScenario.wanting('EXCLUDE()').ask(V2);
    host.nowMs += OLDER_QUERIER_TIMEOUT;
    host.ask({ maxResponseTimeMs: 1_000 }).after(1_000);
    expect(host.takeSent().at(-1)?.message.kind).toBe('report-v3');
  });
});

describe('a change of version cancels what is pending', () => {
  test('repetitions and answers of version 3; the older query is answered in its own version', () => {
    const host = HostScenario.up({ robustness: 7 }).want('EXCLUDE(a)').endTurn().ask({ group: GROUP }).at(10);
    host.takeSent();
    host.ask(V2).at(60_000).expectSent('v2 @5011');
  });

  test('repetitions and answers of version 2', () => {
    const host = below(2)
      .at(100_000 + OLDER_QUERIER_TIMEOUT - 10)
      .want('EXCLUDE()', OTHER_GROUP)
      .endTurn();
    host.expectSent('v2 239.1.1.2 @359990').ask(V1).endTurn();
    host.after(60_000).expectSent('v1 @364991', 'v1 239.1.1.2 @364991');
  });

  test('what was not sent yet is sent in the new version', () => {
    const host = HostScenario.wanting('EXCLUDE()').want('nothing').want('INCLUDE(a)', OTHER_GROUP).ask(V2).endTurn();
    host.expectSent('leave @100000', 'v2 239.1.1.2 @100000');
  });

  test('by configuration', () => {
    const host = HostScenario.up({ robustness: 7 }).want('EXCLUDE()').endTurn();
    host.takeSent();
    host
      .input({ kind: 'settings', settings: { ...DEFAULTS, version: 2 } })
      .at(60_000)
      .expectSent();
    host.ask().after(60_000).expectSent('v2 @65001');
    host.input({ kind: 'settings', settings: DEFAULTS }).ask().after(60_000).expectSent('IS_EX() @125001');
  });
});

describe('version 2', () => {
  test('a join is reported to the group and repeated after a delay of up to 10 s', () => {
    const host = below(2).want('EXCLUDE()', OTHER_GROUP).endTurn();
    expect(host.takeSent()).toMatchObject([{ destination: OTHER_GROUP, message: { kind: 'report-v2', group: OTHER_GROUP } }]);
    host.after(60_000).expectSent('v2 239.1.1.2 @125001');
  });

  test('with the interval and the robustness configured', () => {
    const settings = { version: 2, unsolicitedReportIntervalMs: 2_000, robustness: 3 } as const;
    HostScenario.up(settings).want('EXCLUDE()').at(60_000).expectSent('v2 @0', 'v2 @1001', 'v2 @2002');
    HostScenario.up({ ...settings, robustness: 1 })
      .want('EXCLUDE()')
      .at(60_000)
      .expectSent('v2 @0');
  });

  test('a leave goes to all routers, once, and ends repetitions', () => {
    const host = below(2).want('EXCLUDE()', OTHER_GROUP).endTurn().want('nothing', OTHER_GROUP).endTurn();
    expect(host.takeSent().at(-1)).toMatchObject({
      destination: ip('224.0.0.2'),
      message: { kind: 'leave', group: OTHER_GROUP },
    });
    host.after(60_000).expectSent();
  });

  test('a leave is sent though another host reported last', () => {
    const host = below(2).receive(otherReport('report-v2'), { from: NEIGHBOUR }).want('nothing').endTurn();
    host.expectSent('leave @120000');
  });

  test.each([
    ['INCLUDE(a)', 'EXCLUDE()'],
    ['EXCLUDE()', 'INCLUDE(a)'],
    ['INCLUDE(a)', 'INCLUDE(b)'],
    ['EXCLUDE(a)', 'EXCLUDE(b)'],
  ])('%s → %s is no change of the group (RFC 4605 §4.1)', (before, after) => {
    below(2, before).want(after).after(60_000).expectSent();
  });

  test('a general query is answered group by group, each at its own time', () => {
    const draws = [0.2, 0.7];
    const host = HostScenario.up({ version: 2, robustness: 1, random: () => draws.shift() ?? 0.5 });
    host.want('EXCLUDE()').want('EXCLUDE()', OTHER_GROUP).endTurn().ask(V2).at(60_000);
    host.expectSent('v2 @0', 'v2 239.1.1.2 @0', 'v2 @2001', 'v2 239.1.1.2 @7001');
  });

  test('a running timer is shortened by a query that allows less, and by no other', () => {
    const host = below(2)
      .ask(V2)
      .after(1_000)
      .ask(V2)
      .ask({ ...V2, group: GROUP, maxResponseTimeMs: 1_000 });
    host.after(60_000).expectSent('v2 @121501');
  });

  test('queries of version 3 are answered as the older ones they contain', () => {
    const host = below(2, 'INCLUDE(a)')
      .ask({ group: GROUP, sources: [source('b')] })
      .after(5_000)
      .expectSent('v2 @120501');
    host.ask().after(60_000).expectSent('v2 @130001');
  });

  test('queries about groups nobody wants make no state', () => {
    const host = HostScenario.up({ version: 2 }).ask({ ...V2, group: GROUP });
    expect(host.machine.nextDeadline()).toBeUndefined();
  });

  test('a group that comes, is asked about and goes within one turn is never reported', () => {
    HostScenario.up({ version: 2 }).want('EXCLUDE()').ask(V2).want('nothing').at(60_000).expectSent();
  });

  test('that the same is wanted in other words is told once, for all groups', () => {
    const host = HostScenario.wanting('INCLUDE(a)');
    host.takeTold();
    host.ask({ version: 2 });
    expect(host.takeTold()).toEqual([undefined]);
    expect(host.machine.wantedOf(GROUP)).toEqual({ mode: 'exclude', sources: [] });
    host.ask({ version: 2 }).after(OLDER_QUERIER_TIMEOUT + 1);
    expect(host.takeTold()).toEqual([undefined]);
    expect(host.machine.wantedOf(GROUP)).toEqual({ mode: 'include', sources: [source('a')] });
  });

  test('only the group is reported', () => {
    expect([...below(2, 'INCLUDE(a b)').machine.wanted()]).toEqual([{ group: GROUP, filter: { mode: 'exclude', sources: [] } }]);
  });
});

describe('version 1', () => {
  test('reports to the group, no leave', () => {
    const host = below(1).want('EXCLUDE()', OTHER_GROUP).endTurn();
    expect(host.takeSent()).toMatchObject([{ destination: OTHER_GROUP, message: { kind: 'report-v1', group: OTHER_GROUP } }]);
    host.want('nothing', OTHER_GROUP).after(60_000).expectSent();
  });

  test('a query is answered within 10 s', () => {
    HostScenario.wanting('EXCLUDE()').receive(v1Query, { routerAlert: false }).after(60_000).expectSent('v1 @105001');
  });
});

describe('suppression', () => {
  test.each(['report-v1', 'report-v2'] as const)('the %s of another host answers for us', (kind) => {
    const host = below(2).ask(V2).after(1_000).receive(otherReport(kind), { from: NEIGHBOUR }).expectCounted();
    host.after(60_000).expectSent();
  });

  test('and repeats for us', () => {
    const host = below(2).want('EXCLUDE()', OTHER_GROUP).endTurn();
    host.receive(otherReport('report-v2', OTHER_GROUP), { from: NEIGHBOUR }).after(60_000).expectSent('v2 239.1.1.2 @120000');
  });

  test('not for another group, and not for the first report', () => {
    const host = below(2).ask(V2).want('EXCLUDE()', OTHER_GROUP);
    host.receive(otherReport('report-v2', OTHER_GROUP), { from: NEIGHBOUR }).endTurn().expectSent('v2 239.1.1.2 @120000');
    host.after(5_001).expectSent('v2 @125001', 'v2 239.1.1.2 @125001');
  });

  test('not of a later query', () => {
    const host = below(2).ask(V2).receive(otherReport('report-v2'), { from: NEIGHBOUR }).after(10_000).ask(V2);
    host.after(60_000).expectSent('v2 @135001');
  });

  test('not of a group wanted from named sources (RFC 4604 §2.2.1)', () => {
    const host = below(2, 'INCLUDE(a)').ask(V2).receive(otherReport('report-v2'), { from: NEIGHBOUR }).after(60_000);
    host.expectSent('v2 @125001');
  });
});

describe('source-specific groups below an older querier (RFC 4604 §2.2)', () => {
  test('are reported without sources, and the loss is logged on entering', () => {
    const host = HostScenario.wanting('EXCLUDE()').want('INCLUDE(a)', SSM_GROUP).after(10_000);
    host.takeSent();
    host.ask(V2).ask(V2).after(20_000).expectSent('v2 @115001', 'v2 232.1.1.1 @115001');
    host.expectLogged(/older querier is present/, /^warn: 10\.7\.0\.1 asks in IGMPv2, which knows no sources, about 1 groups/);
  });

  test('asked about one by one, they are answered, and it is logged once a minute', () => {
    const host = HostScenario.wanting('INCLUDE(a)');
    const older = { ...V2, group: GROUP };
    host
      .ask(older)
      .ask(older)
      .after(59_999)
      .ask(older)
      .expectLogged(/knows no sources/)
      .after(1)
      .ask(older)
      .expectLogged(/knows no sources/);
    host.after(1_000).expectSent('IS_IN(a) @100501', 'IS_IN(a) @160500');
  });

  test('nothing is lost, nothing logged, without them', () => {
    HostScenario.wanting('EXCLUDE(a)')
      .ask({ ...V2, group: GROUP })
      .expectLogged();
  });
});
