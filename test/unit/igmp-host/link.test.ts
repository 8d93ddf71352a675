/** The link under the interface: without address, down and up, another address, other settings. */
import { DEFAULTS, GROUP, HostScenario, NEIGHBOUR, OTHER_GROUP, OWN, describeFilter, ip, query } from './scenario';

const OTHER_OWN = ip('10.8.0.20');

function sources(host: HostScenario): number[] {
  return host.takeSent().map((sent) => sent.source);
}

test('nothing is sent before the link is up, and everything is then', () => {
  const host = new HostScenario().want('EXCLUDE()').want('INCLUDE(a)', OTHER_GROUP);
  expect(host.machine.nextDeadline()).toBeUndefined();
  host.input({ kind: 'timer' }).expectSent().at(5_000).linkUp().at(60_000);
  host.expectSent('TO_EX(), ALLOW(a) 239.1.1.2 @5000', 'TO_EX(), ALLOW(a) 239.1.1.2 @5500');
});

test('while the link has no address reports come from 0.0.0.0', () => {
  const host = HostScenario.up().linkUp([]).want('EXCLUDE()').endTurn();
  expect(sources(host)).toEqual([0]);
});

describe('a link that goes down', () => {
  test('sends nothing, forgets what was pending and keeps what is wanted', () => {
    const host = HostScenario.wanting('EXCLUDE(a)', { robustness: 7 }).ask().want('INCLUDE(a)', OTHER_GROUP).endTurn();
    host.takeSent();
    host.linkDown();
    expect(host.machine.nextDeadline()).toBeUndefined();
    host.after(60_000).expectSent();
    expect([...host.machine.wanted()].map(({ filter }) => describeFilter(filter))).toEqual(['EXCLUDE(a)', 'INCLUDE(a)']);
  });

  test('has what is wanted reported when it returns, as often as any join', () => {
    const host = HostScenario.wanting('EXCLUDE(a)', { robustness: 3 }).want('INCLUDE(b)', OTHER_GROUP).endTurn().linkDown();
    host.takeSent();
    host.after(1_000).linkUp().after(60_000);
    const report = 'TO_EX(a), ALLOW(b) 239.1.1.2';
    host.expectSent(`${report} @101000`, `${report} @101500`, `${report} @102000`);
  });

  test('has what changed meanwhile reported as it is now', () => {
    const host = HostScenario.wanting('EXCLUDE()').want('INCLUDE(a)', OTHER_GROUP).endTurn().linkDown();
    host.takeSent();
    host.want('nothing').want('INCLUDE(b)', OTHER_GROUP).want('EXCLUDE()', ip('239.1.1.3')).linkUp().endTurn();
    host.expectSent('ALLOW(b) 239.1.1.2, TO_EX() 239.1.1.3 @100000');
  });

  test('leaves no trace of groups that went before they could be reported as gone', () => {
    const host = HostScenario.wanting('EXCLUDE()').want('nothing').linkDown().linkUp();
    expect(host.machine.nextDeadline()).toBeUndefined();
  });

  test('forgets the querier, its version and its robustness', () => {
    const host = HostScenario.wanting('EXCLUDE()').ask({ querierRobustness: 5 }).ask({ version: 2 }).linkDown().linkUp();
    expect(host.machine.snapshot(host.nowMs)).toMatchObject({
      version: 3,
      querier: 0,
      lastQueryMs: undefined,
      olderVersionMs: undefined,
    });
    host.after(60_000).expectSent('TO_EX() @100000', 'TO_EX() @100500');
  });
});

describe('addresses of a link that stays up', () => {
  test('the same again, or another one behind the first: nothing is reported', () => {
    const host = HostScenario.wanting('EXCLUDE()')
      .linkUp()
      .linkUp([
        { address: OWN, length: 24 },
        { address: OTHER_OWN, length: 16 },
      ]);
    expect(host.machine.nextDeadline()).toBeUndefined();
    host.receive(query(), { from: OTHER_OWN }).expectCounted('own_address');
  });

  test('another first one: everything is reported from it; the querier is the same', () => {
    const host = HostScenario.wanting('EXCLUDE()')
      .receive(query({ version: 2 }), { from: NEIGHBOUR })
      .after(20_000);
    host.takeSent();
    host.linkUp([{ address: OTHER_OWN, length: 16 }]).endTurn();
    expect(host.machine.snapshot(host.nowMs)).toMatchObject({ version: 2, querier: NEIGHBOUR });
    expect(host.takeSent()).toMatchObject([{ source: OTHER_OWN, message: { kind: 'report-v2', group: GROUP } }]);
  });

  test('what went in the same turn is reported as gone', () => {
    const host = HostScenario.wanting('EXCLUDE()').want('INCLUDE(a)', OTHER_GROUP).endTurn();
    host.takeSent();
    host
      .want('nothing')
      .linkUp([{ address: OTHER_OWN, length: 16 }])
      .expectSent('TO_IN() @100000');
    host.after(60_000).expectSent('ALLOW(a) 239.1.1.2 @100000', 'TO_IN(), ALLOW(a) 239.1.1.2 @100500');
  });
});

test('new settings hold for what comes', () => {
  const host = HostScenario.up().want('EXCLUDE()').endTurn();
  host.input({ kind: 'settings', settings: { ...DEFAULTS, robustness: 3, unsolicitedReportIntervalMs: 3_001 } });
  host.want('nothing').at(60_000).expectSent('TO_EX() @0', 'TO_IN() @0', 'TO_IN() @1501', 'TO_IN() @3002');
});

test('a clock that goes back is taken as standing still', () => {
  const host = HostScenario.wanting('EXCLUDE()').ask();
  host.nowMs = 0;
  host.want('INCLUDE(a)');
  expect(host.machine.nextDeadline()).toBe(100_000);
  expect(host.machine.snapshot(0).lastQueryMs).toBe(0);
});
