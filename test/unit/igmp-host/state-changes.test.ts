/** RFC 3376 §5.1: State-Change Reports, their merging and their repetition. */
import { GROUP, HostScenario, OTHER_GROUP, OWN, REPEAT, ip } from './scenario';

describe('difference records, §5.1 first table', () => {
  test.each([
    ['nothing → INCLUDE(B)', 'nothing', 'INCLUDE(a b)', 'ALLOW(a b)'],
    ['INCLUDE(A) → nothing', 'INCLUDE(a b)', 'nothing', 'BLOCK(a b)'],
    ['INCLUDE(A) → INCLUDE(B)', 'INCLUDE(a b)', 'INCLUDE(b c)', 'ALLOW(c), BLOCK(a)'],
    ['INCLUDE(A) → INCLUDE(A+B): no empty BLOCK', 'INCLUDE(a)', 'INCLUDE(a b)', 'ALLOW(b)'],
    ['INCLUDE(A+B) → INCLUDE(A): no empty ALLOW', 'INCLUDE(a b)', 'INCLUDE(a)', 'BLOCK(b)'],
    ['EXCLUDE(A) → EXCLUDE(B)', 'EXCLUDE(a b)', 'EXCLUDE(b c)', 'ALLOW(a), BLOCK(c)'],
    ['EXCLUDE() → EXCLUDE(B)', 'EXCLUDE()', 'EXCLUDE(a)', 'BLOCK(a)'],
    ['EXCLUDE(A) → EXCLUDE()', 'EXCLUDE(a)', 'EXCLUDE()', 'ALLOW(a)'],
    ['INCLUDE(A) → EXCLUDE(B)', 'INCLUDE(a)', 'EXCLUDE(b)', 'TO_EX(b)'],
    ['INCLUDE(A) → EXCLUDE(A)', 'INCLUDE(a)', 'EXCLUDE(a)', 'TO_EX(a)'],
    ['EXCLUDE(A) → INCLUDE(B)', 'EXCLUDE(a)', 'INCLUDE(b)', 'TO_IN(b)'],
    ['nothing → EXCLUDE()', 'nothing', 'EXCLUDE()', 'TO_EX()'],
    ['EXCLUDE(A) → nothing', 'EXCLUDE(a)', 'nothing', 'TO_IN()'],
    ['INCLUDE() is nothing', 'EXCLUDE()', 'INCLUDE()', 'TO_IN()'],
  ])('%s', (_, before, after, records) => {
    const host = HostScenario.wanting(before).want(after);
    host.after(2_000).expectSent(`${records} @100000`, `${records} @${100_000 + REPEAT}`);
  });

  test.each(['INCLUDE(a b)', 'EXCLUDE(a)', 'nothing'])('%s again is no change', (same) => {
    HostScenario.wanting(same).want(same).after(5_000).expectSent();
  });

  test('the order of sources is no change', () => {
    HostScenario.wanting('INCLUDE(a b)').want('INCLUDE(b a)').after(5_000).expectSent();
  });
});

describe('repetition', () => {
  test.each([
    [1, []],
    [2, [500]],
    [3, [500, 1_000]],
    [7, [500, 1_000, 1_500, 2_000, 2_500, 3_000]],
  ])('a robustness of %i', (robustness, repeats) => {
    const times = [0, ...repeats];
    HostScenario.up({ robustness })
      .want('EXCLUDE()')
      .at(60_000)
      .expectSent(...times.map((ms) => `TO_EX() @${ms}`));
  });

  test('the intervals are drawn from (0, Unsolicited Report Interval)', () => {
    const draws = [0, 0.999_999, 0.25];
    const random = () => draws.shift() ?? 0;
    const host = HostScenario.up({ robustness: 4, random, unsolicitedReportIntervalMs: 2_000 }).want('EXCLUDE()');
    host.at(60_000).expectSent('TO_EX() @0', 'TO_EX() @1', 'TO_EX() @2000', 'TO_EX() @2500');
  });

  test('as often as the querier says, if it says so', () => {
    const host = HostScenario.up().ask({ querierRobustness: 3 }).want('EXCLUDE()').at(60_000);
    expect(host.takeSent()).toHaveLength(3);
    host.ask({ querierRobustness: 0 }).want('nothing').after(60_000);
    expect(host.takeSent()).toHaveLength(2);
  });

  test('the timer of the interface is due at once after a change, and idle when all is repeated', () => {
    const host = HostScenario.up().at(1_000);
    expect(host.machine.nextDeadline()).toBeUndefined();
    host.want('EXCLUDE()');
    expect(host.machine.nextDeadline()).toBe(1_000);
    host.endTurn();
    expect(host.machine.nextDeadline()).toBe(1_000 + REPEAT);
    host.after(60_000);
    expect(host.machine.nextDeadline()).toBeUndefined();
  });

  test('to all version 3 routers, from the address of the link', () => {
    const [sent] = HostScenario.up().want('EXCLUDE()').endTurn().takeSent();
    expect(sent).toMatchObject({ source: OWN, destination: ip('224.0.0.22') });
  });
});

describe('a change while the last one is still repeated', () => {
  test('sources of the earlier one keep their own count', () => {
    const host = HostScenario.up({ robustness: 3 }).want('INCLUDE(a)').at(100).want('INCLUDE(a b)').at(60_000);
    host.expectSent('ALLOW(a) @0', 'ALLOW(a b) @100', 'ALLOW(a b) @600', 'ALLOW(b) @1100');
  });

  test('a source that goes while its coming is repeated is only reported as gone, as often as any', () => {
    const host = HostScenario.up({ robustness: 3 }).want('INCLUDE(a b)').at(100).want('INCLUDE(b)').at(60_000);
    host.expectSent('ALLOW(a b) @0', 'ALLOW(b), BLOCK(a) @100', 'ALLOW(b), BLOCK(a) @600', 'BLOCK(a) @1100');
  });

  test('a source that returns while its going is repeated', () => {
    const host = HostScenario.wanting('INCLUDE(a b)', { robustness: 2 }).want('INCLUDE(b)').after(100).want('INCLUDE(a b)');
    host.after(60_000).expectSent('BLOCK(a) @100000', 'ALLOW(a) @100100', 'ALLOW(a) @100600');
  });

  test('a change of sources under a filter mode change is in its records, and goes on by itself afterwards', () => {
    const host = HostScenario.up({ robustness: 3 }).want('EXCLUDE()').at(100).want('EXCLUDE(a)').at(60_000);
    host.expectSent('TO_EX() @0', 'TO_EX(a) @100', 'TO_EX(a) @600', 'BLOCK(a) @1100');
  });

  test('a filter mode change says all that source records would', () => {
    const host = HostScenario.up({ robustness: 3 }).want('INCLUDE(a)').at(100).want('EXCLUDE(b)').at(60_000);
    host.expectSent('ALLOW(a) @0', 'TO_EX(b) @100', 'TO_EX(b) @600', 'TO_EX(b) @1100');
  });

  test('nor is anything said of sources after it when the robustness became less in between', () => {
    const host = HostScenario.up({ robustness: 5 }).want('INCLUDE(a)').at(100).ask({ querierRobustness: 2 }).want('EXCLUDE(b)');
    host.at(60_000).expectSent('ALLOW(a) @0', 'TO_EX(b) @100', 'TO_EX(b) @600', 'IS_EX(b) @5101');
  });

  test('a filter mode change back starts the count again, with the mode of now', () => {
    const host = HostScenario.up({ robustness: 3 }).want('EXCLUDE()').at(100).want('INCLUDE(a)').at(200).want('EXCLUDE(b)');
    host.at(60_000).expectSent('TO_EX() @0', 'TO_IN(a) @100', 'TO_EX(b) @200', 'TO_EX(b) @700', 'TO_EX(b) @1200');
  });

  test('a group that goes while its coming is repeated', () => {
    const host = HostScenario.up().want('EXCLUDE()').at(100).want('nothing').at(60_000);
    host.expectSent('TO_EX() @0', 'TO_IN() @100', 'TO_IN() @600');
    expect(host.machine.nextDeadline()).toBeUndefined();
  });

  test('another group is repeated at its own time', () => {
    const host = HostScenario.up().want('EXCLUDE()').at(100).want('EXCLUDE()', OTHER_GROUP).at(60_000);
    host.expectSent('TO_EX() @0', 'TO_EX() 239.1.1.2 @100', 'TO_EX() @500', 'TO_EX() 239.1.1.2 @600');
  });
});

describe('changes within one turn', () => {
  test('are one report', () => {
    const host = HostScenario.up().want('INCLUDE(a)').want('INCLUDE(a b)').want('EXCLUDE(c)').want('INCLUDE(b c)');
    host.endTurn().expectSent('ALLOW(b c) @0');
  });

  test.each([
    ['a group that comes and goes', 'nothing', 'EXCLUDE()'],
    ['a group that goes and comes', 'EXCLUDE()', 'nothing'],
    ['a source that comes and goes', 'INCLUDE(a)', 'INCLUDE(a b)'],
    ['a mode that changes and changes back', 'EXCLUDE(a)', 'INCLUDE(a)'],
  ])('%s was never another: nothing is sent', (_, before, between) => {
    const host = HostScenario.wanting(before).want(between).want(before);
    expect(host.machine.nextDeadline()).toBeUndefined();
    host.after(60_000).expectSent();
  });

  test('taken back, they leave the repetitions of earlier changes as they were', () => {
    const host = HostScenario.up().want('INCLUDE(a)').at(100).want('INCLUDE(b)').want('INCLUDE(a)').at(60_000);
    host.expectSent('ALLOW(a) @0', `ALLOW(a) @${REPEAT}`);
  });

  test('of several groups share packets, now and in the repetitions', () => {
    const draws = [0.1, 0.7, 0.3, 0.9];
    const random = () => draws.shift() ?? 0.5;
    const host = HostScenario.up({ random }).want('EXCLUDE()').want('INCLUDE(a)', OTHER_GROUP).at(60_000);
    host.expectSent('TO_EX(), ALLOW(a) 239.1.1.2 @0', 'TO_EX(), ALLOW(a) 239.1.1.2 @100');
  });
});

test.each(['224.0.0.1', '224.0.0.22', '224.0.0.251', '10.0.0.1', '0.0.0.0', '255.255.255.255'])(
  '%s is never reported',
  (group) => {
    const host = HostScenario.up().want('EXCLUDE()', ip(group)).ask().after(60_000);
    host.expectSent();
    expect([...host.machine.wanted()]).toEqual([]);
  },
);

test('what is wanted is told of when it is something else, and read group by group', () => {
  const host = HostScenario.up().want('EXCLUDE()').want('EXCLUDE()').want('INCLUDE(a)', OTHER_GROUP);
  expect(host.takeTold()).toEqual([GROUP, OTHER_GROUP]);
  expect(host.machine.wantedOf(GROUP)).toEqual({ mode: 'exclude', sources: [] });
  host.want('nothing').want('nothing').want('EXCLUDE()', ip('224.0.0.22'));
  expect(host.takeTold()).toEqual([GROUP]);
  expect(host.machine.wantedOf(GROUP)).toBeUndefined();
});
