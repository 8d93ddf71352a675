/**
 * Pages over lists that change between calls: a page starts after the place of the last entry of the page before, so that entries that
 * come or go meanwhile neither repeat nor hide others. Nothing is kept on the server between two pages. A page walks the keys of the whole
 * list and reads the entries that are on it, with rests in between: what changes meanwhile is read as it is by then.
 */
import { createHash } from 'node:crypto';

import { Pace } from '../static/pace';

import { invalidArgument } from './api-error';
import { SmallestKeys } from './smallest-keys';

const DEFAULT_PAGE_SIZE = 500;
export const MAX_PAGE_SIZE = 5000;
/**
 * A page ends early before it gets heavier, in addresses or names: some 2 MB of message, where clients of gRPC take 4 MB by default.
 * It holds one entry at least.
 */
const MAX_PAGE_WEIGHT = 65_536;
/** Longer than any token made here: an interface name (15 bytes), two addresses with lengths. */
const MAX_TOKEN_LENGTH = 256;
/** Keys looked at between two looks at the clock. */
const STRIDE = 64;
/** Entries handed over in one go, of usual weight some 100 microseconds of work. */
const PIECE_ENTRIES = 32;
const PIECE_WEIGHT = 1024;

/** A place in a list, for a token. */
export type PageFields = readonly (number | string)[];

export interface PageOrder<Place> {
  compare(one: Place, other: Place): number;
  fieldsOf(place: Place): PageFields;
  /** undefined: such fields were never made here. */
  placeOf(fields: PageFields): Place | undefined;
}

export interface PageRequest {
  readonly pageSize?: number | null;
  readonly pageToken?: string | null;
}

export interface PageOptions<Key extends Place, Entry, Place = Key> {
  /** List and filters in canonical spelling: a token is good only for the query it came from. */
  readonly query: readonly string[];
  readonly table: {
    /** Of all entries in any order; a walk that goes on while they change shows each one that stays. */
    keys(): Iterable<Key>;
    /** undefined: there is none any more. */
    read(key: Key): Entry | undefined;
  };
  readonly matches: (key: Key) => boolean;
  /** No two entries are equal in it. */
  readonly order: PageOrder<Place>;
  /** How many addresses, names or figures the entry has; one is about 30 bytes. */
  readonly weightOf: (entry: Entry) => number;
}

/** Hands over the page that is asked for, piece by piece; resolves with the token of the next one, "" on the last. */
export async function pageOf<Key extends Place, Entry, Place>(
  request: PageRequest,
  options: PageOptions<Key, Entry, Place>,
  take: (entries: readonly Entry[]) => void,
): Promise<string> {
  const size = readPageSize(request.pageSize ?? 0);
  const queryHash = hashQuery(options.query);
  const after = readToken(request.pageToken ?? '', queryHash, options.order);
  const pace = new Pace();
  const { keys, isLast } = await firstKeys(size, after, options, pace);
  const last = await handOver(keys, options, take, pace);
  return isLast && last === keys.length ? '' : tokenAfter(keys, last, queryHash, options.order);
}

/** As many as fit on a page by number, in order. */
async function firstKeys<Key extends Place, Entry, Place>(
  size: number,
  after: Place | undefined,
  { table, matches, order }: PageOptions<Key, Entry, Place>,
  pace: Pace,
): Promise<{ readonly keys: readonly Key[]; readonly isLast: boolean }> {
  // One more than asked for tells whether there is a next page.
  const smallest = new SmallestKeys<Key>(size + 1, (one, other) => order.compare(one, other));
  let left = STRIDE;
  for (const key of table.keys()) {
    if ((after === undefined || order.compare(key, after) > 0) && matches(key)) smallest.add(key);
    if (--left > 0) continue;
    left = STRIDE;
    if (pace.isOver) await pace.rest();
  }
  const sorted = smallest.sorted();
  // What goes and comes back while it is walked over is met twice.
  const keys = sorted.filter((key, i) => i === 0 || order.compare(key, sorted[i - 1] ?? key) !== 0);
  if (!smallest.isFull) return { keys, isLast: true };
  return { keys: keys.slice(0, Math.max(1, keys.length - 1)), isLast: false };
}

/** Returns how many of the keys the page has done with. */
async function handOver<Key extends Place, Entry, Place>(
  keys: readonly Key[],
  { table, weightOf }: PageOptions<Key, Entry, Place>,
  take: (entries: readonly Entry[]) => void,
  pace: Pace,
): Promise<number> {
  let [piece, pieceWeight, weight]: [Entry[], number, number] = [[], 0, 0];
  for (const [at, key] of keys.entries()) {
    const entry = table.read(key);
    if (entry === undefined) continue;
    const more = weightOf(entry);
    if (weight > 0 && weight + more > MAX_PAGE_WEIGHT) {
      take(piece);
      return at;
    }
    [weight, pieceWeight] = [weight + more, pieceWeight + more];
    piece.push(entry);
    if (piece.length < PIECE_ENTRIES && pieceWeight < PIECE_WEIGHT) continue;
    take(piece);
    [piece, pieceWeight] = [[], 0];
    if (pace.isOver) await pace.rest();
  }
  take(piece);
  return keys.length;
}

function tokenAfter<Key extends Place, Place>(keys: readonly Key[], done: number, queryHash: string, order: PageOrder<Place>): string {
  const last = keys[done - 1];
  return last === undefined ? '' : writeToken(order.fieldsOf(last), queryHash);
}

function readPageSize(pageSize: number): number {
  if (pageSize < 0) throw invalidArgument('page_size', pageSize, 'is negative');
  return pageSize === 0 ? DEFAULT_PAGE_SIZE : Math.min(pageSize, MAX_PAGE_SIZE);
}

function hashQuery(query: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(query)).digest('base64url').slice(0, 12);
}

function writeToken(fields: PageFields, queryHash: string): string {
  return Buffer.from(JSON.stringify([queryHash, ...fields])).toString('base64url');
}

/** undefined: from the start. */
function readToken<Place>(token: string, queryHash: string, order: PageOrder<Place>): Place | undefined {
  if (token === '') return undefined;
  const [hash, ...fields] = (token.length <= MAX_TOKEN_LENGTH ? parseToken(token) : undefined) ?? [];
  // Those of another query have fields of another shape, perhaps.
  if (typeof hash === 'string' && hash !== queryHash) throw invalidArgument('page_token', token, 'belongs to a request with other filters');
  const place = hash === undefined ? undefined : order.placeOf(fields);
  if (place === undefined) throw invalidArgument('page_token', token, 'was not issued by this server');
  return place;
}

function parseToken(token: string): PageFields | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
  } catch {
    // Not JSON: somebody made it up, which the caller reports.
    return undefined;
  }
  if (!Array.isArray(value) || value.length < 2) return undefined;
  const wellFormed = value.every((field) => typeof field === 'string' || typeof field === 'number');
  return wellFormed ? (value as PageFields) : undefined;
}
