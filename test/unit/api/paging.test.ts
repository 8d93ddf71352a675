import fc from 'fast-check';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { NUMBER_ORDER, ROUTE_ORDER, STATIC_ENTRY_ORDER } from '../../../control/api/page-orders';
import { pageOf, type PageOptions } from '../../../control/api/paging';
import { SmallestKeys } from '../../../control/api/smallest-keys';
import type { RouteRange } from '../../../control/api/route-text';
import { CONFIG_OWNER } from '../../../control/static/entry';

interface Item {
  readonly sequence: number;
}

function optionsOf(items: () => Iterable<Item>, weight = 1): PageOptions<Item, Item> {
  return { query: ['items'], table: { keys: items, read: (item) => item }, matches: () => true, order: NUMBER_ORDER, weightOf: () => weight };
}

async function page<Key extends Place, Entry, Place>(
  options: PageOptions<Key, Entry, Place>,
  request: Parameters<typeof pageOf>[0],
): Promise<{ items: Entry[]; nextPageToken: string }> {
  const items: Entry[] = [];
  const nextPageToken = await pageOf(request, options, (piece) => items.push(...piece));
  return { items, nextPageToken };
}

async function pages<Key extends Place, Entry, Place>(options: PageOptions<Key, Entry, Place>, pageSize: number): Promise<Entry[][]> {
  const all: Entry[][] = [];
  let pageToken = '';
  do {
    const { items, nextPageToken } = await page(options, { pageSize, pageToken });
    all.push(items);
    pageToken = nextPageToken;
  } while (pageToken !== '');
  return all;
}

const range = (count: number): Item[] => Array.from({ length: count }, (_, sequence) => ({ sequence }));

test('pages of any size joined are the whole list in order', async () => {
  const items = fc.uniqueArray(fc.record({ sequence: fc.nat() }), { selector: ({ sequence }) => sequence });
  await fc.assert(
    fc.asyncProperty(items, fc.integer({ min: 1, max: 7 }), async (list, pageSize) => {
      const sorted = [...list].sort((a, b) => a.sequence - b.sequence);
      expect((await pages(optionsOf(() => list), pageSize)).flat()).toEqual(sorted);
    }),
  );
});

test('the smallest of many, whatever order they come in', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 50 })), fc.integer({ min: 1, max: 20 }), (numbers, limit) => {
      const smallest = new SmallestKeys<number>(limit, (a, b) => a - b);
      for (const number of numbers) smallest.add(number);
      expect(smallest.sorted()).toEqual([...numbers].sort((a, b) => a - b).slice(0, limit));
    }),
  );
});

test('entries that come and go between pages neither repeat nor hide those that stay', async () => {
  const all = range(100);
  let call = 0;
  const seen = (await pages(optionsOf(() => (++call % 2 === 0 ? all.filter(({ sequence }) => sequence % 2 === 0) : all)), 7)).flat();
  const numbers = seen.map(({ sequence }) => sequence);
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(numbers.filter((number) => number % 2 === 0)).toEqual(all.map(({ sequence }) => sequence).filter((number) => number % 2 === 0));
});

test('entries that come, go and come back while a page is made: those that stay are there, once, and no other twice', async () => {
  const staying = 40_000;
  const table = new Map(range(staying).map((item) => [item.sequence * 2, { sequence: item.sequence * 2 }]));
  const state = { isOver: false, changes: 0 };
  const churn = async (): Promise<void> => {
    for (let i = 0; !state.isOver; i++) {
      // Odd ones come and go; even ones among them never do.
      for (let at = 1; at < 400; at += 2) {
        const sequence = (i * 7919 + at * 101) % (2 * staying) | 1;
        if (!table.delete(sequence)) table.set(sequence, { sequence });
        state.changes++;
      }
      await nextTurn();
    }
  };
  const churning = churn();
  const options = { ...optionsOf(() => table.values()), table: { keys: () => table.values(), read: ({ sequence }: Item) => table.get(sequence) } };
  const numbers = (await pages(options, 997)).flat().map(({ sequence }) => sequence);
  state.isOver = true;
  await churning;
  expect(state.changes).toBeGreaterThan(1000);
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  expect(numbers.filter((number) => number % 2 === 0)).toEqual(range(staying).map(({ sequence }) => sequence * 2));
});

test('a key that is met twice is listed once, and the list goes on behind it', async () => {
  const twice = [...range(5), ...range(5)];
  expect((await pages(optionsOf(() => twice), 2)).flat()).toEqual(range(5));
});

test('an entry that is gone when it is read is left out; the list goes on', async () => {
  const options = { ...optionsOf(() => range(10)), table: { keys: () => range(10), read: (item: Item) => (item.sequence < 4 ? undefined : item) } };
  expect((await pages(options, 2)).map((items) => items.map(({ sequence }) => sequence))).toEqual([[], [], [4, 5], [6, 7], [8, 9]]);
});

test('a list that ends with the page has no next token', async () => {
  const options = optionsOf(() => range(2));
  expect((await page(options, { pageSize: 2 })).nextPageToken).toBe('');
  expect((await page(options, { pageSize: 1 })).nextPageToken).not.toBe('');
});

test.each([
  [20_000, [3, 3, 3, 1]],
  [65_536, Array.from({ length: 10 }, () => 1)],
  [1_000_000, Array.from({ length: 10 }, () => 1)],
])('ten items of weight %d come in pages of %j, each once', async (weight, sizes) => {
  const found = await pages(optionsOf(() => range(10), weight), 100);
  expect(found.map((items) => items.length)).toEqual(sizes);
  expect(found.flat()).toEqual(range(10));
});

test('any text as a token is refused as an argument, never otherwise', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string({ minLength: 1 }), fc.base64String({ minLength: 1 })), async (pageToken) => {
      await expect(page(optionsOf(() => []), { pageToken })).rejects.toThrow(/^page_token: /);
    }),
  );
});

test('the token of a list of another kind is refused', async () => {
  const routes: RouteRange[] = [{ source: 0, group: 1 }, { source: 5, group: 1 }];
  const { nextPageToken } = await page({ query: ['items'], table: { keys: () => routes, read: (key: RouteRange) => key }, matches: () => true, order: ROUTE_ORDER, weightOf: () => 1 }, { pageSize: 1 });
  await expect(page(optionsOf(() => []), { pageToken: nextPageToken })).rejects.toThrow('was not issued by this server');
});

describe('orders', () => {
  const routes: readonly RouteRange[] = [
    { source: 0, group: 10, sourceLength: 0, groupLength: 24 },
    { source: 0, group: 10, sourceLength: 0, groupLength: 32 },
    { source: 0, group: 10 },
    { source: 3, group: 10, sourceLength: 8, groupLength: 32 },
    { source: 3, group: 10, sourceLength: 32, groupLength: 32 },
    { source: 3, group: 10 },
    { source: 0, group: 11 },
    { source: 0xffff_ffff, group: 0xefff_ffff },
  ];
  const group = { address: 10, length: 24 };
  const statics = [
    { kind: 'route', route: { group, source: undefined, owner: CONFIG_OWNER } },
    { kind: 'route', route: { group, source: undefined, owner: 'one' } },
    { kind: 'route', route: { group, source: { address: 3, length: 32 }, owner: 'one' } },
    { kind: 'membership', membership: { interface: 'eth0', group: 12, owner: CONFIG_OWNER } },
    { kind: 'membership', membership: { interface: 'eth0', group: 12, owner: 'one' } },
    { kind: 'membership', membership: { interface: 'eth1', group: 1, owner: 'one' } },
  ] as const;

  test('every place is before all that follow it, and is what its token says', () => {
    routes.forEach((one, i) => {
      routes.forEach((other, j) => expect([i, j, Math.sign(ROUTE_ORDER.compare(one, other))]).toEqual([i, j, Math.sign(i - j)]));
      const again = ROUTE_ORDER.placeOf(ROUTE_ORDER.fieldsOf(one));
      expect(again === undefined ? NaN : ROUTE_ORDER.compare(again, one)).toBe(0);
    });
    statics.forEach((one, i) => {
      statics.forEach((other, j) => expect([i, j, Math.sign(STATIC_ENTRY_ORDER.compare(one, other))]).toEqual([i, j, Math.sign(i - j)]));
      const again = STATIC_ENTRY_ORDER.placeOf(STATIC_ENTRY_ORDER.fieldsOf(one));
      expect(again === undefined ? NaN : STATIC_ENTRY_ORDER.compare(again, one)).toBe(0);
    });
  });
});
