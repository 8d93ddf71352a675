import fc from 'fast-check';

import { compareKeys, pageOf } from '../../../control/api/paging';

interface Item {
  readonly name: string;
  readonly rank: number;
}

const options = { query: ['items'], keyOf: (item: Item) => [item.name, item.rank], weightOf: () => 1 };

function readAll(pages: () => readonly Item[], pageSize: number): Item[] {
  const all: Item[] = [];
  let pageToken = '';
  do {
    const page = pageOf(pages(), { pageSize, pageToken }, options);
    all.push(...page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return all;
}

const items = fc.uniqueArray(fc.record({ name: fc.string(), rank: fc.nat() }), {
  selector: (item) => `${item.rank} ${item.name}`,
});

test('pages of any size joined are the whole list in order', () => {
  fc.assert(
    fc.property(items, fc.integer({ min: 1, max: 7 }), (list, pageSize) => {
      const sorted = [...list].sort((a, b) => compareKeys(options.keyOf(a), options.keyOf(b)));
      expect(readAll(() => list, pageSize)).toEqual(sorted);
    }),
  );
});

test('entries that come and go between pages neither repeat nor hide those that stay', () => {
  const all = Array.from({ length: 100 }, (_, rank) => ({ name: 'x', rank }));
  let call = 0;
  const seen = readAll(() => {
    call += 1;
    return call % 2 === 0 ? all.filter((item) => item.rank % 2 === 0) : all;
  }, 7);
  const ranks = seen.map((item) => item.rank);
  expect(new Set(ranks).size).toBe(ranks.length);
  expect(ranks.filter((rank) => rank % 2 === 0)).toEqual(all.map((item) => item.rank).filter((rank) => rank % 2 === 0));
});

test('a list that ends with the page has no next token', () => {
  const list = [
    { name: 'a', rank: 1 },
    { name: 'b', rank: 1 },
  ];
  expect(pageOf(list, { pageSize: 2 }, options).nextPageToken).toBe('');
  expect(pageOf(list, { pageSize: 1 }, options).nextPageToken).not.toBe('');
});

test.each([
  [20_000, [3, 3, 3, 1]],
  [65_536, Array.from({ length: 10 }, () => 1)],
  [1_000_000, Array.from({ length: 10 }, () => 1)],
])('ten items of weight %d come in pages of %j, each once', (weight, sizes) => {
  const list = Array.from({ length: 10 }, (_, rank) => ({ name: 'x', rank }));
  const pages: Item[][] = [];
  let pageToken = '';
  do {
    const page = pageOf(list, { pageSize: 100, pageToken }, { ...options, weightOf: () => weight });
    pages.push([...page.items]);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  expect(pages.map((page) => page.length)).toEqual(sizes);
  expect(pages.flat()).toEqual(list);
});

test('any text as a token is refused as an argument, never otherwise', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ minLength: 1 }), fc.base64String({ minLength: 1 })), (pageToken) => {
      expect(() => pageOf([], { pageToken }, options)).toThrow(/^page_token: /);
    }),
  );
});
