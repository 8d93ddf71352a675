/**
 * Pages over lists that change between calls: a page starts after the key of the last item of the page before, so that entries that
 * come or go meanwhile neither repeat nor hide others. Nothing is kept on the server between two pages.
 */
import { createHash } from 'node:crypto';

import { invalidArgument } from './api-error';

const DEFAULT_PAGE_SIZE = 500;
export const MAX_PAGE_SIZE = 5000;
/**
 * A page ends early before it gets heavier, in addresses or names: some 2 MB of message, where clients of gRPC take 4 MB by default.
 * It holds one item at least.
 */
const MAX_PAGE_WEIGHT = 65_536;
/** Longer than any token made here: an interface name (15 bytes), two addresses with lengths. */
const MAX_TOKEN_LENGTH = 256;

/** Compared field by field. Every key of one list has the same shape and no two items share a key. */
export type PageKey = readonly (number | string)[];

export interface PageRequest {
  readonly pageSize?: number | null;
  readonly pageToken?: string | null;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** "" on the last page. */
  readonly nextPageToken: string;
}

export interface PageOptions<Item> {
  /** List and filters in canonical spelling: a token is good only for the query it came from. */
  readonly query: readonly string[];
  readonly keyOf: (item: Item) => PageKey;
  /** How many addresses, names or figures the item has; one is about 30 bytes. */
  readonly weightOf: (item: Item) => number;
}

/** The page of `items` (in any order) that `request` asks for, ordered by key. */
export function pageOf<Item>(items: Iterable<Item>, request: PageRequest, options: PageOptions<Item>): Page<Item> {
  const size = readPageSize(request.pageSize ?? 0);
  const queryHash = hashQuery(options.query);
  const after = readToken(request.pageToken ?? '', queryHash);
  // One more than asked for tells whether there is a next page.
  const found = smallest(items, after, size + 1, options.keyOf);
  const page = found.slice(0, Math.min(size, countWithin(MAX_PAGE_WEIGHT, found, options.weightOf)));
  const last = page.at(-1);
  const more = found.length > page.length && last !== undefined;
  return { items: page.map((entry) => entry.item), nextPageToken: more ? writeToken(last.key, queryHash) : '' };
}

export function compareKeys(left: PageKey, right: PageKey): number {
  for (let index = 0; index < left.length; index++) {
    const a = left[index];
    const b = right[index];
    if (a === undefined || b === undefined || a === b) continue;
    return a < b ? -1 : 1;
  }
  return 0;
}

interface Keyed<Item> {
  readonly key: PageKey;
  readonly item: Item;
}

/** How many of the first items weigh no more than the limit together; at least one. */
function countWithin<Item>(limit: number, entries: readonly Keyed<Item>[], weightOf: (item: Item) => number): number {
  let weight = 0;
  const tooMany = entries.findIndex(({ item }) => (weight += weightOf(item)) > limit);
  return tooMany === -1 ? entries.length : Math.max(1, tooMany);
}

/**
 * The `count` items with the smallest keys above `after`, in order. Sorting only when twice that many candidates have gathered keeps a
 * page of a large table near one pass over it.
 */
function smallest<Item>(
  items: Iterable<Item>,
  after: PageKey | undefined,
  count: number,
  keyOf: (item: Item) => PageKey,
): Keyed<Item>[] {
  const candidates: Keyed<Item>[] = [];
  let bound: PageKey | undefined;
  const keepSmallest = (): void => {
    candidates.sort((left, right) => compareKeys(left.key, right.key));
    candidates.length = Math.min(candidates.length, count);
    if (candidates.length === count) bound = candidates.at(-1)?.key;
  };
  for (const item of items) {
    const key = keyOf(item);
    if (after !== undefined && compareKeys(key, after) <= 0) continue;
    if (bound !== undefined && compareKeys(key, bound) > 0) continue;
    candidates.push({ key, item });
    if (candidates.length >= 2 * count) keepSmallest();
  }
  keepSmallest();
  return candidates;
}

function readPageSize(pageSize: number): number {
  if (pageSize < 0) throw invalidArgument('page_size', pageSize, 'is negative');
  return pageSize === 0 ? DEFAULT_PAGE_SIZE : Math.min(pageSize, MAX_PAGE_SIZE);
}

function hashQuery(query: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(query)).digest('base64url').slice(0, 12);
}

function writeToken(key: PageKey, queryHash: string): string {
  return Buffer.from(JSON.stringify([queryHash, ...key])).toString('base64url');
}

/** undefined: from the start. */
function readToken(token: string, queryHash: string): PageKey | undefined {
  if (token === '') return undefined;
  const fields = token.length <= MAX_TOKEN_LENGTH ? parseToken(token) : undefined;
  if (fields === undefined) throw invalidArgument('page_token', token, 'was not issued by this server');
  const [hash, ...key] = fields;
  if (hash !== queryHash) throw invalidArgument('page_token', token, 'belongs to a request with other filters');
  return key;
}

function parseToken(token: string): PageKey | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
  } catch {
    // Not JSON: somebody made it up, which the caller reports.
    return undefined;
  }
  if (!Array.isArray(value) || value.length < 2) return undefined;
  const wellFormed = value.every((field) => typeof field === 'string' || typeof field === 'number');
  return wellFormed ? (value as PageKey) : undefined;
}
