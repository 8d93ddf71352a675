/**
 * What becomes of the mapping when DNS is down, when it is flooded with questions, and when things happen in any order.
 */
import fc from 'fast-check';
import type { SsmEvent } from '../../../control/ssm/api';
import { DNS, GROUP, NAME, Scenario, ip, records, settings } from './scenario';

describe('DNS down', () => {
  test('questions are repeated after 1, 2, 4 s … up to five minutes, half of it by chance', () => {
    for (const [chance, first, last] of [
      [0, 1, 150],
      [0.999999, 1.999999, 299.99985],
    ] as const) {
      const scenario = new Scenario(DNS, {}, () => chance);
      scenario.join(GROUP);
      const waits: number[] = [];
      for (let i = 0; i < 14; i++) {
        scenario.takeAsked();
        scenario.fail(NAME);
        scenario.join(GROUP);
        const wait = scenario.table.nextDeadline()! - scenario.nowMs;
        waits.push(wait);
        scenario.pass(wait / 1000);
        expect(scenario.asked).toEqual([NAME]);
      }
      expect(waits[0]).toBe(Math.floor(first * 1000));
      expect(waits[3]).toBe(Math.floor(first * 8000));
      expect(waits.at(-1)).toBe(Math.floor(last * 1000));
    }
  });

  test('after an answer the waits begin anew', () => {
    const scenario = new Scenario(DNS);
    scenario.join(GROUP);
    for (let i = 0; i < 4; i++) {
      scenario.fail(NAME);
      scenario.pass((scenario.table.nextDeadline()! - scenario.nowMs) / 1000);
    }
    scenario.answer(NAME, records(5, '10.0.0.1'));
    expect(scenario.table.snapshot().failing).toBe(0);
    scenario.pass(5);
    scenario.fail(NAME);
    expect(scenario.table.nextDeadline()! - scenario.nowMs).toBe(1_000);
  });

  test('sources are given up after the day even while a question is on its way', () => {
    const scenario = new Scenario(DNS, { interestMs: 200_000_000 });
    scenario.join(GROUP);
    scenario.answer(NAME, records(60, '10.0.0.1'));
    scenario.pass(60 + 86_399);
    expect(scenario.sources(GROUP)).toEqual(['10.0.0.1']);
    scenario.pass(1);
    expect(scenario.sources(GROUP)).toBe('pending');
  });

  test('known sources stay in use for a day, then they are given up', () => {
    const scenario = new Scenario(DNS);
    scenario.join(GROUP);
    scenario.answer(NAME, records(60, '10.0.0.1'));
    scenario.takeMapped();
    const askOn = (seconds: number): void => {
      for (let left = seconds; left > 0; left -= Math.min(left, 100)) {
        scenario.pass(Math.min(left, 100));
        for (const name of scenario.takeAsked()) scenario.fail(name);
        scenario.join(GROUP);
      }
    };
    askOn(60 + 86_399);
    expect(scenario.sources(GROUP)).toEqual(['10.0.0.1']);
    expect(scenario.mapped).toEqual([]);
    askOn(1);
    expect(scenario.sources(GROUP)).toBe('pending');
    expect(scenario.takeMapped()).toEqual([GROUP]);
    askOn(301);
    scenario.pass(300);
    scenario.answer(scenario.takeAsked()[0]!, records(60, '10.0.0.1'));
    expect(scenario.sources(GROUP)).toEqual(['10.0.0.1']);
    expect(scenario.takeMapped()).toEqual([GROUP]);
  });

  test('is logged once, and once when it is over', () => {
    const scenario = new Scenario(DNS);
    scenario.join(GROUP);
    scenario.join('232.1.2.4');
    scenario.fail(NAME, 'ESERVFAIL');
    scenario.fail('4.2.1.232.ssm.example.net', 'ESERVFAIL');
    scenario.pass(1);
    scenario.fail(NAME, 'ESERVFAIL');
    expect(scenario.logged).toEqual([
      expect.stringMatching(/^warn: look up the sources of 232\.1\.2\.3 by 3\.2\.1\.232\.ssm\.example\.net: ESERVFAIL/),
    ]);
    scenario.answer('4.2.1.232.ssm.example.net', []);
    expect(scenario.logged.slice(1)).toEqual(['info: look up sources: DNS answers again']);
  });

  test('one name that fails among others that do not is logged once a minute', () => {
    const scenario = new Scenario(DNS, { noSourcesMs: 1_000 });
    for (let second = 0; second < 90; second++) {
      scenario.join(GROUP);
      scenario.join('232.1.2.4');
      for (const name of scenario.takeAsked()) {
        if (name === NAME) scenario.fail(name);
        else scenario.answer(name, []);
      }
      scenario.pass(1);
    }
    expect(scenario.logged.filter((line) => line.startsWith('warn'))).toHaveLength(2);
  });
});

describe('floods', () => {
  const flood = (scenario: Scenario, groups: number): void => {
    for (let i = 0; i < groups; i++) scenario.join(`232.9.${i >> 8}.${i & 255}`);
  };

  test('64 questions at a time; the next go out as answers come in', () => {
    const scenario = new Scenario(DNS);
    flood(scenario, 100);
    const first = scenario.takeAsked();
    expect(first).toHaveLength(64);
    scenario.answer(first[0]!, []);
    scenario.fail(first[1]!);
    expect(scenario.takeAsked()).toEqual(['64.0.9.232.ssm.example.net', '65.0.9.232.ssm.example.net']);
    expect(scenario.table.snapshot()).toMatchObject({ questionsRunning: 64, questionsWaiting: 34 });
  });

  test('no more than 1,024 wait: what comes then is refused, counted, and logged once', () => {
    const scenario = new Scenario(DNS);
    flood(scenario, 64 + 1024 + 10);
    expect(scenario.count('refused')).toBe(10);
    expect(scenario.join('232.9.255.255')).toBeUndefined();
    expect(scenario.logged).toHaveLength(1);
    for (const name of scenario.takeAsked()) scenario.answer(name, []);
    expect(scenario.join('232.9.255.255')).toBe('pending');
  });

  test('answers in use are renewed before new groups are looked up', () => {
    const scenario = new Scenario(DNS, { questionsAtOnce: 1 });
    scenario.join(GROUP);
    scenario.answer(NAME, records(5, '10.0.0.1'));
    scenario.takeAsked();
    flood(scenario, 10);
    scenario.pass(5);
    const [running] = scenario.takeAsked();
    scenario.answer(running!, []);
    expect(scenario.takeAsked()).toEqual([NAME]);
  });

  test('a full table refuses new groups, keeps the old ones, and takes new ones when there is room', () => {
    const scenario = new Scenario(DNS, { groups: 16 });
    scenario.join(GROUP);
    scenario.answer(NAME, records(3600, '10.0.0.1'));
    flood(scenario, 40);
    expect(scenario.count('refused')).toBe(25);
    expect(scenario.logged).toHaveLength(1);
    expect(scenario.join(GROUP)).toEqual(['10.0.0.1']);
    for (const name of scenario.takeAsked().slice(1)) scenario.answer(name, []);
    scenario.pass(61);
    expect(scenario.table.snapshot()).toMatchObject({ mapped: 1, unmapped: 0 });
    expect(scenario.join('232.10.0.1')).toBe('pending');
    flood(scenario, 40);
    expect(scenario.logged).toHaveLength(2);
  });
});

test('whatever happens in whatever order: bounds hold, every question ends, and the deadline is ahead', () => {
  const name = fc.integer({ min: 0, max: 7 }).map((i) => `${i}.0.0.232.ssm.example.net`);
  const event: fc.Arbitrary<SsmEvent> = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.integer({ min: 0, max: 7 }).map((i) => ({ kind: 'wanted' as const, group: ip('232.0.0.0') + i })),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('answer' as const),
        name,
        records: fc.array(fc.record({ address: fc.nat(0xffffffff), ttlMs: fc.nat(100_000) }), { maxLength: 5 }),
      }),
    },
    { weight: 3, arbitrary: name.map((one) => ({ kind: 'failure' as const, name: one, reason: 'ETIMEOUT' })) },
    { weight: 3, arbitrary: fc.constant({ kind: 'timer' as const }) },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom(DNS, settings({}), settings({ static: { '232.0.0.0/30': ['10.0.0.1'] } }))
        .map((given) => ({ kind: 'settings' as const, settings: given })),
    },
  );
  const step = fc.tuple(event, fc.integer({ min: 0, max: 700_000 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const scenario = new Scenario(DNS, { groups: 5, questionsAtOnce: 2, questionsWaiting: 2, sourcesPerGroup: 3 });
      const running = new Set<string>();
      for (const [happening, passMs] of steps) {
        if (happening.kind === 'answer' || happening.kind === 'failure') running.delete(happening.name);
        const before = new Map(
          [0, 1, 2, 3, 4, 5, 6, 7].map((i) => [ip('232.0.0.0') + i, scenario.table.sourcesOf(ip('232.0.0.0') + i)]),
        );
        const effects = scenario.input(happening);
        const told = new Set(effects.flatMap((effect) => (effect.kind === 'mapped' ? [effect.group] : [])));
        for (const group of told) expect(scenario.table.sourcesOf(group)).not.toEqual(before.get(group));
        if (happening.kind === 'wanted') expect(told.size).toBe(0);
        for (const effect of effects) {
          if (effect.kind !== 'resolve') continue;
          expect(running.has(effect.name)).toBe(false);
          running.add(effect.name);
        }
        const { mapped, unmapped, pending, questionsRunning } = scenario.table.snapshot();
        expect(mapped + unmapped + pending).toBeLessThanOrEqual(5);
        expect(questionsRunning).toBe(running.size);
        expect(running.size).toBeLessThanOrEqual(2);
        if (happening.kind === 'timer') expect(scenario.table.nextDeadline() ?? Infinity).toBeGreaterThan(scenario.nowMs);
        scenario.nowMs += passMs;
      }
    }),
    { numRuns: 300 },
  );
});
