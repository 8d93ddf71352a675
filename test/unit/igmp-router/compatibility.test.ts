/** Older hosts: RFC 3376 §7.3.2, and interfaces configured for older versions, §7.3.1. */
import { GMI, GROUP, OTHER_HOST, Scenario, leave, report, v1Report, v2Report } from './scenario';

const OLDER_HOST_PRESENT = GMI;

function version(scenario: Scenario): number | undefined {
  return scenario.membership(GROUP)?.compatibilityVersion;
}

describe('a v2 report', () => {
  test('is IS_EX({}): everything is wanted, for the Group Membership Interval', () => {
    const scenario = Scenario.up().receive(report('IS_EX(y)')).at(1_000).receive(v2Report()).expectState('EXCLUDE(; )');
    expect(scenario.timers()).toEqual({ group: GMI });
    expect(version(scenario)).toBe(2);
  });
  test('makes BLOCK ineffective', () => {
    const scenario = Scenario.up().receive(v2Report()).receive(report('BLOCK(a)')).expectState('EXCLUDE(; )').expectSent();
    scenario.expectCounted('ignored_in_compatibility_mode');
  });
  test('makes TO_EX(A) a TO_EX({})', () => {
    Scenario.up()
      .receive(v2Report())
      .receive(report('TO_EX(a)'))
      .expectState('EXCLUDE(; )')
      .expectCounted('ignored_in_compatibility_mode');
    Scenario.up().receive(v2Report()).receive(report('TO_EX()')).expectCounted();
  });
  test('leaves TO_IN and the other records as they are', () => {
    Scenario.up()
      .receive(v2Report())
      .receive(report('IS_EX(y)'))
      .expectState('EXCLUDE(y; )')
      .receive(report('TO_IN(a)'))
      .expectState('EXCLUDE(a y; )')
      .expectSent('Q(G) @0', 'Q(G,y) @0')
      .expectCounted();
  });
  test('holds the group in version 2 for the Older Host Present Interval', () => {
    const scenario = Scenario.up().receive(v2Report()).at(100_000).receive(report('IS_EX()'), OTHER_HOST);
    expect(version(scenario.at(OLDER_HOST_PRESENT - 1))).toBe(2);
    expect(version(scenario.at(OLDER_HOST_PRESENT))).toBe(3);
    scenario.receive(report('BLOCK(a)')).expectState('EXCLUDE(a; )').expectCounted();
  });
});

describe('a v1 report', () => {
  test('is IS_EX({}) and makes leaves ineffective', () => {
    const scenario = Scenario.up()
      .receive(v1Report())
      .receive(v2Report())
      .receive(leave())
      .expectSent()
      .expectState('EXCLUDE(; )');
    expect(version(scenario)).toBe(1);
    scenario.expectCounted('ignored_in_compatibility_mode');
  });
  test('makes TO_IN, BLOCK and source lists of TO_EX ineffective', () => {
    const scenario = Scenario.up().receive(v1Report());
    scenario
      .receive(report('TO_IN(a)'))
      .receive(report('BLOCK(a)'))
      .receive(report('TO_EX(a)'))
      .expectState('EXCLUDE(; )')
      .expectSent();
    scenario.expectCounted('ignored_in_compatibility_mode', 'ignored_in_compatibility_mode', 'ignored_in_compatibility_mode');
  });
  test('gives way to version 2 while a v2 host is present, then to version 3', () => {
    const scenario = Scenario.up().receive(v1Report()).at(100_000).receive(v2Report()).at(200_000).receive(report('IS_EX()'));
    expect(version(scenario.at(OLDER_HOST_PRESENT))).toBe(2);
    expect(version(scenario.at(100_000 + OLDER_HOST_PRESENT))).toBe(3);
  });
});

test('a group that was forgotten is in version 3 again', () => {
  const scenario = Scenario.up().receive(v2Report()).receive(leave()).at(2_000).expectState('nothing').receive(report('IS_EX()'));
  expect(version(scenario)).toBe(3);
});

test('one group in version 2 says nothing of another', () => {
  const scenario = Scenario.up().receive(v2Report(0xef010102)).receive(report('IS_EX()')).receive(report('BLOCK(a)'));
  scenario.expectState('EXCLUDE(a; )').expectCounted();
});

describe('an interface configured for version 1', () => {
  test('ignores leaves, of v2 hosts too', () => {
    const scenario = Scenario.up({ version: 1 })
      .receive(v2Report())
      .receive(leave())
      .expectSent()
      .at(10_000)
      .expectState('EXCLUDE(; )');
    expect(version(scenario)).toBe(1);
    scenario.at(GMI).expectState('nothing');
  });
});

describe('an interface configured for version 2', () => {
  test('ignores what would need a question about sources', () => {
    const scenario = Scenario.up({ version: 2 })
      .receive(report('TO_EX(a)'))
      .expectState('EXCLUDE(; )')
      .receive(report('BLOCK(a)'));
    scenario
      .expectState('EXCLUDE(; )')
      .expectSent()
      .expectCounted('ignored_in_compatibility_mode', 'ignored_in_compatibility_mode');
  });
  test('asks for the group when a v3 host leaves', () => {
    Scenario.up({ version: 2 })
      .receive(report('TO_EX()'))
      .receive(report('TO_IN()'))
      .at(2_000)
      .expectSent('Q(G) @0', 'Q(G) @1000')
      .expectState('nothing');
  });
});
