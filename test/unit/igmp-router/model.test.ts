/** Random histories: the machine against the naive model, and what must hold whatever arrives. */
import fc from 'fast-check';
import type { IgmpEvent, IgmpInterfaceSettings, SsmMapping, StaticGroup } from '../../../control/protocol/igmp/router/api';
import type { IgmpMessage, RecordType } from '../../../control/protocol/igmp/message';
import { NaiveRouter, type NaivePolicy } from './naive-model';
import { DEFAULTS, GMI, HIGHER_ROUTER, HOST, LIMITS, LMQT, OTHER_HOST, OWN, Scenario, ip, query } from './scenario';

const GROUPS = ['239.1.1.1', '239.1.1.2', '232.1.1.1'].map(ip);
const SOURCES = ['10.9.0.1', '10.9.0.2', '10.9.0.3', '200.9.0.4', '10.9.0.5'].map(ip);

const group = fc.constantFrom(...GROUPS);
const sources = fc.subarray(SOURCES);
const recordType = fc.constantFrom<RecordType>(1, 2, 3, 4, 5, 6);
const v3Report = fc
  .array(fc.record({ type: recordType, group, sources }), { minLength: 1, maxLength: 4 })
  .map((records): IgmpMessage => ({ kind: 'report-v3', records }));
const older = fc.record({ kind: fc.constantFrom('report-v1' as const, 'report-v2' as const, 'leave' as const), group });
const specificQuery = fc
  .record({ group, sources, suppressRouterProcessing: fc.boolean() })
  .map((fields): IgmpMessage => query({ ...fields, maxResponseTimeMs: 1_000 }));
const message: fc.Arbitrary<IgmpMessage> = fc.oneof(
  { weight: 8, arbitrary: v3Report },
  { weight: 1, arbitrary: older },
  { weight: 1, arbitrary: specificQuery },
);
/** Gaps that land before, on and after every timer of interest. */
const gap = fc.oneof(
  fc.constantFrom(0, 1, 999, 1_000, LMQT - 1, LMQT, LMQT + 1, GMI - 1, GMI, GMI + 1),
  fc.nat(3_000),
  fc.nat(GMI + 5_000),
);

interface Described {
  readonly group: number;
  readonly mode: string;
  readonly groupTimer: number | undefined;
  readonly running: readonly (readonly [number, number])[];
  readonly blocked: readonly number[];
}

const byNumber = (one: number, other: number): number => one - other;

function describeMachine(scenario: Scenario): Described[] {
  return scenario.machine
    .memberships(scenario.nowMs)
    .map((membership) => ({
      group: membership.group,
      mode: membership.mode,
      groupTimer: membership.groupTimerMs,
      running: membership.sources.filter((entry) => entry.forwarded).map((entry) => [entry.source, entry.timerMs] as const),
      blocked: membership.sources.filter((entry) => !entry.forwarded).map((entry) => entry.source),
    }))
    .map(sorted);
}

function describeModel(model: NaiveRouter, now: number): Described[] {
  return Array.from(model.groups, ([address, state]) => ({
    group: address,
    mode: state.exclude ? 'exclude' : 'include',
    groupTimer: state.exclude ? state.groupTimer - now : undefined,
    running: Array.from(state.timers, ([source, expiry]) => [source, expiry - now] as const),
    blocked: [...state.unwanted],
  })).map(sorted);
}

function sorted(described: Described): Described {
  const running = [...described.running].sort(([one], [other]) => one - other);
  return { ...described, running, blocked: [...described.blocked].sort(byNumber) };
}

function byGroup(list: readonly Described[]): Described[] {
  return [...list].sort((one, other) => one.group - other.group);
}

/** What has been published must be what the model's state demands. */
function expectSame(scenario: Scenario, model: NaiveRouter): void {
  const described = byGroup(describeModel(model, scenario.nowMs));
  expect(byGroup(describeMachine(scenario))).toEqual(described);
  const demands = described.map(({ group: address, mode, running, blocked }) => {
    const names = running.map(([source]) => source);
    const wanted = mode === 'include' ? { mode, sources: names } : { mode, sources: blocked, requested: names };
    return [address, wanted];
  });
  expect([...scenario.wanted].sort(([one], [other]) => one - other)).toEqual(demands);
}

function newModel(): NaiveRouter {
  return new NaiveRouter({ groupMembershipInterval: GMI, lastMemberQueryTime: LMQT, isSsm: (address) => address >>> 24 === 232 });
}

describe('against the naive model', () => {
  const history = fc.array(fc.tuple(gap, message), { minLength: 1, maxLength: 30 });

  test.each([
    ['with every timer called on time', true],
    ['with timers called only when something arrives', false],
  ])('the same states, timers and demands, %s', (_, onTime) => {
    fc.assert(
      fc.property(history, (steps) => {
        const scenario = Scenario.up();
        const model = newModel();
        for (const [gapMs, next] of steps) {
          if (onTime) scenario.after(gapMs);
          else scenario.nowMs += gapMs;
          scenario.input({ kind: 'timer' });
          model.pass(scenario.nowMs);
          expectSame(scenario, model);
          model.receive(next, scenario.nowMs);
          scenario.receive(next, next.kind === 'query' ? HIGHER_ROUTER : HOST);
          expectSame(scenario, model);
        }
      }),
      { numRuns: 400 },
    );
  });
});

describe('against the naive model, with what an operator decides', () => {
  const staticGroups = fc
    .subarray(GROUPS)
    .chain((groups) => fc.tuple(...groups.map((name) => sources.map((list) => ({ group: name, sources: list })))));
  const settings = fc
    .record({
      staticGroups: staticGroups as fc.Arbitrary<StaticGroup[]>,
      quickLeave: fc.constantFrom('off' as const, 'always' as const),
      ignoreV1: fc.boolean(),
      ignoreV2: fc.boolean(),
      groups: fc.constantFrom(1, 2, 100),
      denied: fc.option(fc.constantFrom(...SOURCES), { nil: undefined }),
      onlyByName: fc.boolean(),
    })
    .map(({ groups, denied, onlyByName, ...fields }): IgmpInterfaceSettings => {
      const any = { group: { address: 0xe0000000, length: 4 }, reporter: { address: 0, length: 0 } };
      const deny = denied === undefined ? [] : [{ ...any, permit: false, source: { address: denied, length: 32 } }];
      // Every source for one host only, or for all; by name for everybody.
      const others = { ...any, permit: true, source: { address: 0, length: 0 } };
      const first = { ...any, permit: true, source: undefined, reporter: { address: HOST, length: 32 } };
      const access = onlyByName ? [...deny, first, others] : [...deny, { ...any, permit: true, source: undefined }];
      return { ...DEFAULTS, ...fields, access, limits: { ...LIMITS, groups } };
    });

  function policyOf(chosen: IgmpInterfaceSettings): NaivePolicy {
    const [deny, onlyByName] = [
      chosen.access.find((rule) => !rule.permit),
      chosen.access.some((rule) => rule.reporter.length === 32),
    ];
    return {
      endsAtOnce: chosen.quickLeave === 'always',
      ignored: [...(chosen.ignoreV1 ? ['report-v1'] : []), ...(chosen.ignoreV2 ? ['report-v2', 'leave'] : [])],
      permits: (_, reporter, name) => (name === undefined ? !onlyByName || reporter === HOST : name !== deny?.source?.address),
      groupLimit: chosen.limits.groups,
      fixed: new Map(chosen.staticGroups.map((entry) => [entry.group, new Set(entry.sources)])),
    };
  }

  const step = fc.oneof(
    { weight: 10, arbitrary: fc.tuple(fc.constantFrom(HOST, OTHER_HOST), message) },
    { weight: 1, arbitrary: settings },
  );

  test('the same demands, whatever the settings become', () => {
    fc.assert(
      fc.property(settings, fc.array(fc.tuple(gap, step), { minLength: 1, maxLength: 30 }), (initial, steps) => {
        const scenario = new Scenario(initial).linkUp();
        const model = newModel();
        model.policy = policyOf(initial);
        const expectSameDemands = (): void => {
          expect([...scenario.wanted].sort(([one], [other]) => one - other)).toEqual(model.demands());
        };
        for (const [gapMs, next] of steps) {
          scenario.after(gapMs).input({ kind: 'timer' });
          model.pass(scenario.nowMs);
          expectSameDemands();
          if (Array.isArray(next)) {
            const [reporter, body] = next as [number, IgmpMessage];
            model.receive(body, scenario.nowMs, reporter);
            scenario.receive(body, body.kind === 'query' ? HIGHER_ROUTER : reporter);
          } else {
            model.policy = policyOf(next as IgmpInterfaceSettings);
            scenario.input({ kind: 'settings', settings: next as IgmpInterfaceSettings });
          }
          expectSameDemands();
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('whatever arrives', () => {
  const anyAddress = fc.oneof(fc.constantFrom(OWN, HOST, OTHER_HOST, HIGHER_ROUTER, ip('10.1.0.2'), 0), fc.nat(0xffffffff));
  const anyGroup = fc.oneof(group, fc.nat(0xffffffff), fc.constant(0xe00000fb));
  const anySources = fc.array(fc.oneof(fc.constantFrom(...SOURCES), fc.nat(0xffffffff)), { maxLength: 8 });
  const anyQuery = fc.record({
    version: fc.constantFrom(1 as const, 2 as const, 3 as const),
    group: fc.oneof(fc.constant(0), anyGroup),
    maxResponseTimeMs: fc.nat(3_174_400),
    suppressRouterProcessing: fc.boolean(),
    querierRobustness: fc.nat(7),
    querierQueryIntervalMs: fc.nat(31_744_000),
    sources: anySources,
  });
  const anyMessage: fc.Arbitrary<IgmpMessage> = fc.oneof(
    anyQuery.map((fields) => query(fields)),
    fc
      .array(fc.record({ type: recordType, group: anyGroup, sources: anySources }), { maxLength: 5 })
      .map((records): IgmpMessage => ({ kind: 'report-v3', records })),
    fc.record({ kind: fc.constantFrom('report-v1' as const, 'report-v2' as const, 'leave' as const), group: anyGroup }),
  );
  const received = fc.tuple(anyAddress, fc.boolean(), anyMessage).map(([source, routerAlert, body]): IgmpEvent => {
    return { kind: 'received', packet: { source, destination: ip('224.0.0.22'), routerAlert, message: body, skipped: [] } };
  });
  const addresses = fc.array(fc.record({ address: anyAddress, length: fc.nat(32) }), { maxLength: 2 });
  const event: fc.Arbitrary<IgmpEvent> = fc.oneof(
    { weight: 20, arbitrary: received },
    { weight: 2, arbitrary: addresses.map((list): IgmpEvent => ({ kind: 'link-up', addresses: list })) },
    { weight: 1, arbitrary: fc.constant<IgmpEvent>({ kind: 'link-down' }) },
    { weight: 1, arbitrary: group.map((name): IgmpEvent => ({ kind: 'sources-mapped', group: name })) },
  );
  const quickLeave = fc.constantFrom('off' as const, 'tracked' as const, 'always' as const);
  /** Part of the settings, to be taken instead of those that are. */
  const newSettings = fc.record({ version: fc.constantFrom(1 as const, 2 as const, 3 as const), quickLeave, mtu: fc.nat(1_500) });
  /** Another answer each time it is asked. */
  const ssmMapping = fc
    .array(fc.oneof(fc.constant('pending' as const), fc.constant(undefined), fc.subarray(SOURCES)), { minLength: 1 })
    .map((answers): SsmMapping => {
      let asked = 0;
      return { anySourceV3: answers.length > 2, sourcesOf: () => answers[asked++ % answers.length] };
    });
  const settings: fc.Arbitrary<IgmpInterfaceSettings> = fc
    .record({
      version: fc.constantFrom(1 as const, 2 as const, 3 as const),
      limits: fc
        .record({ groups: fc.nat(4), sourcesPerGroup: fc.nat(4), groupsPerHost: fc.nat(3), trackedHosts: fc.nat(5) })
        .map((fields) => ({ ...LIMITS, ...fields, total: { limit: 3, used: 0 } })),
      quickLeave,
      ssmMapping: fc.option(ssmMapping, { nil: undefined }),
      acceptOffSubnet: fc.boolean(),
      requireRouterAlert: fc.boolean(),
      mtu: fc.nat(1_500),
    })
    .map((fields) => ({ ...DEFAULTS, ...fields }));
  const anyEvent = fc.oneof({ weight: 20, arbitrary: event }, { weight: 1, arbitrary: newSettings });
  const history = fc.array(fc.tuple(gap, anyEvent), { maxLength: 40 });
  /** Longer than any adopted Group Membership Interval. */
  const A_DAY = 86_400_000;

  type AnyEvent = IgmpEvent | Partial<IgmpInterfaceSettings>;

  function eventOf(next: AnyEvent, chosen: IgmpInterfaceSettings): IgmpEvent {
    return 'kind' in next ? next : { kind: 'settings', settings: { ...chosen, ...next } };
  }

  function run(chosen: IgmpInterfaceSettings, steps: readonly (readonly [number, AnyEvent])[]): Scenario {
    chosen.limits.total.used = 0;
    const scenario = new Scenario(chosen).linkUp([{ address: OWN, length: 8 }]);
    for (const [gapMs, next] of steps) {
      scenario.after(gapMs).input({ kind: 'timer' });
      expect(scenario.machine.nextDeadline() ?? Infinity).toBeGreaterThan(scenario.nowMs);
      scenario.input(eventOf(next, chosen));
      expect(chosen.limits.total.used).toBe(scenario.machine.membershipCount);
      const known = scenario.machine.memberships(scenario.nowMs).reduce((sum, { hosts }) => sum + hosts.length, 0);
      expect(known).toBeLessThanOrEqual(chosen.limits.trackedHosts);
    }
    return scenario;
  }

  test('nothing throws, no deadline stays in the past, limits hold, and after long silence nothing is left', () => {
    fc.assert(
      fc.property(settings, history, (chosen, steps) => {
        const scenario = run(chosen, steps);
        const memberships = scenario.machine.memberships(scenario.nowMs);
        expect(memberships.length).toBeLessThanOrEqual(Math.min(chosen.limits.groups, chosen.limits.total.limit));
        for (const membership of memberships)
          expect(membership.sources.length).toBeLessThanOrEqual(chosen.limits.sourcesPerGroup);
        expect(new Set(scenario.wanted.keys())).toEqual(new Set(memberships.map((membership) => membership.group)));
        scenario.nowMs += A_DAY;
        scenario.input({ kind: 'timer' });
        expect(scenario.machine.memberships(scenario.nowMs)).toEqual([]);
        expect([scenario.wanted.size, chosen.limits.total.used]).toEqual([0, 0]);
      }),
      { numRuns: 400 },
    );
  });

  test('a demand is published only when it differs from the last one', () => {
    fc.assert(
      fc.property(settings, history, (chosen, steps) => {
        chosen.limits.total.used = 0;
        const scenario = new Scenario(chosen).linkUp([{ address: OWN, length: 8 }]);
        const last = new Map<number, string>();
        for (const [gapMs, next] of steps) {
          scenario.nowMs += gapMs;
          for (const effect of scenario.machine.input(eventOf(next, chosen), scenario.nowMs)) {
            if (effect.kind !== 'membership') continue;
            const text = JSON.stringify(effect.wanted ?? null);
            expect(text).not.toBe(last.get(effect.group) ?? 'null');
            last.set(effect.group, text);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  test('alone and as querier, silence of one Group Membership Interval ends everything', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(gap, message), { maxLength: 20 }), (steps) => {
        const scenario = Scenario.up();
        for (const [gapMs, next] of steps) scenario.after(gapMs).receive(next, next.kind === 'query' ? HIGHER_ROUTER : HOST);
        scenario.after(GMI);
        expect(scenario.machine.memberships(scenario.nowMs)).toEqual([]);
        expect(scenario.wanted.size).toBe(0);
      }),
    );
  });
});

describe('10,000 groups', () => {
  const count = 10_000;
  const base = ip('239.2.0.0');

  test('each expires at its own time, and each is published once', () => {
    const scenario = new Scenario({ limits: { ...LIMITS, groups: count, sourcesPerGroup: 10 } }).linkUp([
      { address: OWN, length: 24 },
    ]);
    for (let index = 0; index < count; index++) {
      scenario.nowMs = index;
      scenario.receive({ kind: 'report-v3', records: [{ type: 5, group: base + index, sources: SOURCES }] });
    }
    expect(scenario.wanted.size).toBe(count);
    scenario.at(GMI + count / 2 - 1);
    expect(scenario.wanted.size).toBe(count / 2);
    scenario.at(GMI + count - 1);
    expect(scenario.wanted.size).toBe(0);
  });
});
