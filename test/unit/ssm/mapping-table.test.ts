/**
 * Which sources a source-specific group has, and when DNS is asked.
 */
import { DNS, GROUP, NAME, Scenario, ip, records, settings } from './scenario';

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
