/**
 * Which sources a source-specific group has, and when DNS is asked.
 */
import fc from 'fast-check';
import type { SsmEvent } from '../../../control/ssm/api';
import { Scenario, DNS, ip, records, settings } from './scenario';

const GROUP = '232.1.2.3';
const NAME = '3.2.1.232.ssm.example.net';

describe('by configuration', () => {
  test('the longest prefix decides, without DNS', () => {
    const scenario = new Scenario(
      settings({
        domain: 'ssm.example.net',
        static: { '232.0.0.0/8': ['10.0.0.8'], '232.1.0.0/16': ['10.0.0.16', '10.0.0.17'], '232.1.2.3': ['10.0.0.32'] },
      }),
    );
    expect(scenario.join('232.1.2.3')).toEqual(['10.0.0.32']);
    expect(scenario.join('232.1.2.4')).toEqual(['10.0.0.16', '10.0.0.17']);
    expect(scenario.join('232.2.0.1')).toEqual(['10.0.0.8']);
    expect(scenario.asked).toEqual([]);
    expect(scenario.count('static_hits')).toBe(3);
  });

  test('a group nobody maps has no sources, and nothing waits', () => {
    const scenario = new Scenario(settings({ static: { '232.1.0.0/16': ['10.0.0.1'] } }));
    expect(scenario.join('232.2.0.1')).toBeUndefined();
    expect(scenario.table.nextDeadline()).toBeUndefined();
  });

  test('16,384 entries are looked up as fast as one', () => {
    const entries = Array.from({ length: 16_384 }, (_, i) => [`232.${i >> 8}.${i & 255}.0/24`, ['10.0.0.1']] as const);
    const scenario = new Scenario(settings({ static: Object.fromEntries(entries) }));
    const started = performance.now();
    for (let i = 0; i < 200_000; i++) scenario.table.sourcesOf(ip('232.63.255.9'));
    // A walk over the entries would take a minute.
    expect(performance.now() - started).toBeLessThan(3_000);
    expect(scenario.sources('232.63.255.9')).toEqual(['10.0.0.1']);
  });
});

describe('by DNS', () => {
  test('the octets of the group are turned round, and the addresses are its sources', () => {
    const scenario = new Scenario(DNS);
    expect(scenario.join(GROUP)).toBe('pending');
    expect(scenario.takeAsked()).toEqual([NAME]);
    scenario.answer(NAME, records(60, '10.0.0.9', '10.0.0.5'));
    expect(scenario.takeMapped()).toEqual([GROUP]);
    expect(scenario.join(GROUP)).toEqual(['10.0.0.5', '10.0.0.9']);
    expect(scenario.asked).toEqual([]);
  });

  test('joins that come while a question is on its way ask nothing more', () => {
    const scenario = new Scenario(DNS);
    for (let i = 0; i < 5; i++) expect(scenario.join(GROUP)).toBe('pending');
    expect(scenario.asked).toEqual([NAME]);
    expect(scenario.count('misses')).toBe(5);
  });

  test('addresses no source can have are left out and counted', () => {
    const scenario = new Scenario(DNS);
    scenario.join(GROUP);
    scenario.answer(NAME, records(60, '127.0.0.1', '0.0.0.0', '239.1.1.1', '255.255.255.255', '10.0.0.1', '10.0.0.1'));
    expect(scenario.sources(GROUP)).toEqual(['10.0.0.1']);
    expect(scenario.count('not_unicast')).toBe(4);
  });

  test('an answer of nothing else is none', () => {
    const scenario = new Scenario(DNS);
    scenario.join(GROUP);
    scenario.answer(NAME, records(60, '127.0.0.1'));
    expect(scenario.sources(GROUP)).toBeUndefined();
    expect(scenario.count('not_found')).toBe(1);
  });

  test('of more addresses than a group may have the lowest count, in whatever order they come', () => {
    const addresses = Array.from({ length: 70 }, (_, i) => `10.0.0.${i + 1}`);
    const scenario = new Scenario(DNS);
    scenario.join(GROUP);
    scenario.answer(NAME, records(60, ...addresses.toReversed()));
    expect(scenario.sources(GROUP)).toEqual(addresses.slice(0, 64));
    expect(scenario.count('too_many')).toBe(6);
  });

  test('an answer nobody asked for changes nothing', () => {
    const scenario = new Scenario(DNS);
    scenario.answer(NAME, records(60, '10.0.0.1'));
    expect(scenario.sources(GROUP)).toBeUndefined();
    scenario.join(GROUP);
    scenario.answer(NAME, records(60, '10.0.0.2'));
    scenario.answer(NAME, records(60, '10.0.0.66'));
    expect(scenario.sources(GROUP)).toEqual(['10.0.0.2']);
  });
});

describe('the time an answer holds', () => {
  function mappedFor(ttlSeconds: number, ...others: readonly number[]): Scenario {
    const scenario = new Scenario(DNS);
    scenario.join(GROUP);
    scenario.answer(NAME, [records(ttlSeconds, '10.0.0.1'), ...others.map((ttl, i) => records(ttl, `10.0.0.${i + 2}`))].flat());
    scenario.takeAsked();
    scenario.takeMapped();
    return scenario;
  }

  test.each([
    ['its TTL', mappedFor(300), 300],
    ['the smallest TTL of its records', mappedFor(300, 40, 90), 40],
    ['five seconds at least', mappedFor(0), 5],
    ['a day at most', mappedFor(4_000_000_000), 86_400],
  ])('is %s', (_, scenario, seconds) => {
    // A host that goes on asking, as all of them do at each query.
    for (let left = seconds - 1; left > 0; left -= Math.min(left, 100)) {
      scenario.pass(Math.min(left, 100));
      scenario.join(GROUP);
    }
    expect(scenario.takeAsked()).toEqual([]);
    scenario.pass(1);
    expect(scenario.takeAsked()).toEqual([NAME]);
  });

  test('while it is renewed the old one is used', () => {
    const scenario = mappedFor(30);
    scenario.pass(30);
    expect(scenario.join(GROUP)).toEqual(['10.0.0.1']);
    expect(scenario.count('stale_hits')).toBe(1);
  });

  test('the same sources in another order are no change', () => {
    const scenario = mappedFor(30, 30);
    scenario.pass(30);
    scenario.answer(NAME, records(30, '10.0.0.2', '10.0.0.1'));
    expect(scenario.takeMapped()).toEqual([]);
  });

  test('other sources are told', () => {
    const scenario = mappedFor(30);
    scenario.pass(30);
    scenario.answer(NAME, records(30, '10.0.0.7'));
    expect(scenario.takeMapped()).toEqual([GROUP]);
    expect(scenario.sources(GROUP)).toEqual(['10.0.0.7']);
  });

  test('a name that is gone is told too', () => {
    const scenario = mappedFor(30);
    scenario.pass(30);
    scenario.answer(NAME, []);
    expect(scenario.takeMapped()).toEqual([GROUP]);
    expect(scenario.sources(GROUP)).toBeUndefined();
  });

  test('nobody asks for ten minutes: no more questions, and nothing is kept', () => {
    const scenario = mappedFor(200);
    for (let i = 0; i < 2; i++) {
      scenario.pass(200);
      expect(scenario.takeAsked()).toEqual([NAME]);
      scenario.answer(NAME, records(200, '10.0.0.1'));
    }
    scenario.pass(200);
    expect(scenario.takeAsked()).toEqual([]);
    expect(scenario.table.snapshot()).toMatchObject({ mapped: 0, pending: 0 });
    expect(scenario.table.nextDeadline()).toBeUndefined();
    expect(scenario.mapped).toEqual([]);
  });

  test('an answer for a group that nobody wants any more is not kept', () => {
    const scenario = new Scenario(DNS);
    scenario.join(GROUP);
    scenario.pass(601);
    scenario.answer(NAME, records(60, '10.0.0.1'));
    expect(scenario.table.snapshot()).toMatchObject({ mapped: 0, pending: 0, questionsRunning: 0 });
  });
});

describe('names that are not there', () => {
  test('hold a minute, and are asked about again only if somebody wanted them since', () => {
    const scenario = new Scenario(DNS);
    scenario.join(GROUP);
    scenario.answer(NAME, []);
    expect(scenario.takeMapped()).toEqual([GROUP]);
    scenario.takeAsked();
    scenario.pass(30);
    expect(scenario.join(GROUP)).toBeUndefined();
    scenario.pass(30);
    expect(scenario.takeAsked()).toEqual([NAME]);
    expect(scenario.sources(GROUP)).toBeUndefined();
    scenario.answer(NAME, []);
    scenario.pass(60);
    expect(scenario.takeAsked()).toEqual([]);
    expect(scenario.table.snapshot().unmapped).toBe(0);
  });
});

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

describe('other settings', () => {
  test('answers stay while the domain stays', () => {
    const scenario = new Scenario(DNS);
    scenario.join(GROUP);
    scenario.answer(NAME, records(3600, '10.0.0.1'));
    scenario.takeAsked();
    scenario.takeMapped();
    scenario.input({ kind: 'settings', settings: { ...DNS, anySourceV3: true } });
    expect(scenario.table.anySourceV3).toBe(true);
    expect(scenario.join(GROUP)).toEqual(['10.0.0.1']);
    expect(scenario.asked).toEqual([]);
    expect(scenario.mapped).toEqual([]);
  });

  test('another domain is asked for every group somebody wants; answers of the old one come too late', () => {
    const scenario = new Scenario(DNS);
    scenario.join(GROUP);
    scenario.input({ kind: 'settings', settings: settings({ domain: 'other.example' }) });
    expect(scenario.takeAsked()).toEqual([NAME, '3.2.1.232.other.example']);
    scenario.answer(NAME, records(60, '10.0.0.1'));
    expect(scenario.sources(GROUP)).toBe('pending');
    scenario.answer('3.2.1.232.other.example', records(60, '10.0.0.2'));
    expect(scenario.sources(GROUP)).toEqual(['10.0.0.2']);
    expect(scenario.takeMapped()).toEqual([GROUP]);
  });

  test('back to the first domain while its question is on its way: that one counts', () => {
    const scenario = new Scenario(DNS);
    scenario.join(GROUP);
    scenario.input({ kind: 'settings', settings: settings({ domain: 'other.example' }) });
    scenario.input({ kind: 'settings', settings: DNS });
    expect(scenario.takeAsked()).toEqual([NAME, '3.2.1.232.other.example']);
    scenario.answer(NAME, records(60, '10.0.0.1'));
    expect(scenario.sources(GROUP)).toEqual(['10.0.0.1']);
    expect(scenario.takeMapped()).toEqual([GROUP]);
  });

  test('a static entry that comes replaces the answer, and DNS is asked again when it goes', () => {
    const scenario = new Scenario(DNS);
    scenario.join(GROUP);
    scenario.answer(NAME, records(60, '10.0.0.1'));
    scenario.takeAsked();
    scenario.takeMapped();
    scenario.input({
      kind: 'settings',
      settings: { ...DNS, ...settings({ static: { '232.1.0.0/16': ['10.0.0.2'] } }), dnsDomain: DNS.dnsDomain },
    });
    expect(scenario.sources(GROUP)).toEqual(['10.0.0.2']);
    expect(scenario.takeMapped()).toEqual([GROUP]);
    scenario.pass(120);
    expect(scenario.asked).toEqual([]);
    scenario.input({ kind: 'settings', settings: DNS });
    expect(scenario.takeAsked()).toEqual([NAME]);
    expect(scenario.takeMapped()).toEqual([]);
    scenario.answer(NAME, records(60, '10.0.0.1'));
    expect(scenario.takeMapped()).toEqual([GROUP]);
  });

  test('only groups whose sources change are told of', () => {
    const scenario = new Scenario(
      settings({ static: { '232.1.0.0/16': ['10.0.0.1'], '232.2.0.0/16': ['10.0.0.2', '10.0.0.3'] } }),
    );
    for (const group of ['232.1.0.1', '232.2.0.1', '232.3.0.1', '232.4.0.1']) scenario.join(group);
    scenario.input({
      kind: 'settings',
      settings: settings({
        static: { '232.1.0.0/16': ['10.0.0.9'], '232.2.0.0/16': ['10.0.0.3', '10.0.0.2'], '232.3.0.0/16': ['10.0.0.4'] },
      }),
    });
    expect(scenario.mapped).toEqual(['232.1.0.1', '232.3.0.1']);
  });

  test('without a domain nothing is asked any more', () => {
    const scenario = new Scenario(DNS);
    scenario.join(GROUP);
    scenario.answer(NAME, records(60, '10.0.0.1'));
    scenario.takeAsked();
    scenario.takeMapped();
    scenario.input({ kind: 'settings', settings: settings({}) });
    expect(scenario.takeMapped()).toEqual([GROUP]);
    expect(scenario.sources(GROUP)).toBeUndefined();
    expect(scenario.table.nextDeadline()).toBeUndefined();
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
