/**
 * Which entries of a table have changed, in the order of their last changes: what all watchers of the table read from, each from its own
 * place on. There is one line for each entry however often it changes, and nothing for each watcher: one that stalls costs no memory, and
 * finds when it returns the entries it missed, once each. One that comes too late is told so.
 *
 * As long as nobody watches nothing is written down.
 */
import { randomBytes } from 'node:crypto';

export interface JournalOptions {
  /** Entries written down at most; beyond, the older half is forgotten. Default 131,072. */
  readonly limit?: number;
  /** How long it is written on when nobody watches any more, so that a watcher that was cut off can resume. Default 60 s. */
  readonly lingerMs?: number;
}

export interface Changes<Key> {
  readonly keys: readonly Key[];
  /** Where to read on. */
  readonly sequence: number;
  /** Changes that a later one of the same entry has taken the place of. */
  readonly coalesced: number;
}

interface Line<Key> {
  readonly sequence: number;
  readonly name: string;
  readonly key: Key;
  /** Earlier changes of the entry whose lines are gone. */
  merged: number;
}

const LIMIT = 131_072;
const LINGER_MS = 60_000;
/** What happens within so long is announced together. */
const GATHER_MS = 10;
/** Outlived lines that are worth going through all of them. */
const SPARE_LINES = 1024;

export class ChangeJournal<Key> {
  readonly #limit: number;
  readonly #lingerMs: number;
  /** Ascending; those whose entry has changed again since are outlived. */
  #lines: Line<Key>[] = [];
  readonly #latest = new Map<string, Line<Key>>();
  readonly #watchers = new Set<() => void>();
  #epoch = '';
  #sequence = 0;
  /** Every change after this one is written down. */
  #floor = 0;
  #linger: NodeJS.Timeout | undefined;
  #announcement: NodeJS.Timeout | undefined;

  constructor({ limit = LIMIT, lingerMs = LINGER_MS }: JournalOptions = {}) {
    this.#limit = limit;
    this.#lingerMs = lingerMs;
  }

  /** Whether record() does anything: callers need not prepare what it takes when it does not. */
  get isActive(): boolean {
    return this.#epoch !== '';
  }

  /** Sequences of different epochs do not compare. Empty while nobody watches. */
  get epoch(): string {
    return this.#epoch;
  }

  /** Of the last change. */
  get sequence(): number {
    return this.#sequence;
  }

  /** `name`: one for each key. */
  record(name: string, key: Key): void {
    if (!this.isActive) return;
    this.#sequence += 1;
    const line = { sequence: this.#sequence, name, key, merged: 0 };
    this.#latest.set(name, line);
    this.#lines.push(line);
    if (this.#latest.size > this.#limit) this.#forgetHalf();
    else if (this.#lines.length > 2 * this.#latest.size + SPARE_LINES) this.#tidy();
    this.#planAnnouncement();
  }

  /** Everything may be different: whoever watches begins anew. */
  recordAll(): void {
    if (!this.isActive) return;
    this.#sequence += 1;
    this.#floor = this.#sequence;
    this.#lines = [];
    this.#latest.clear();
    this.#planAnnouncement();
  }

  /** The next changes, of `limit` entries at most; undefined: some are not written down any more. */
  after(sequence: number, limit: number): Changes<Key> | undefined {
    if (sequence < this.#floor) return undefined;
    const keys: Key[] = [];
    let [reached, coalesced] = [sequence, 0];
    for (let i = this.#firstAfter(sequence); i < this.#lines.length && keys.length < limit; i++) {
      const line = this.#lines[i];
      if (line === undefined) break;
      reached = line.sequence;
      coalesced += line.merged;
      if (this.#latest.get(line.name) === line) keys.push(line.key);
      else coalesced += 1;
    }
    return { keys, sequence: reached, coalesced };
  }

  /** `wake` is called after changes, not with each. Returns what ends it. */
  watch(wake: () => void): () => void {
    clearTimeout(this.#linger);
    if (!this.isActive) this.#begin();
    this.#watchers.add(wake);
    return () => {
      if (!this.#watchers.delete(wake) || this.#watchers.size > 0) return;
      this.#linger = setTimeout(() => this.#end(), this.#lingerMs).unref();
    };
  }

  #begin(): void {
    this.#epoch = randomBytes(6).toString('base64url');
    this.#floor = this.#sequence;
  }

  #end(): void {
    this.#epoch = '';
    this.#lines = [];
    this.#latest.clear();
  }

  #planAnnouncement(): void {
    if (this.#watchers.size > 0) this.#announcement ??= setTimeout(() => this.#announce(), GATHER_MS);
  }

  #announce(): void {
    this.#announcement = undefined;
    for (const wake of [...this.#watchers]) wake();
  }

  /** Binary search. */
  #firstAfter(sequence: number): number {
    let [low, high] = [0, this.#lines.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#lines[middle]?.sequence ?? Infinity) > sequence) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Takes out the outlived lines. */
  #tidy(): void {
    this.#lines = this.#lines.filter((line) => {
      const latest = this.#latest.get(line.name);
      if (latest === line) return true;
      if (latest !== undefined) latest.merged += 1 + line.merged;
      return false;
    });
  }

  #forgetHalf(): void {
    this.#tidy();
    const forgotten = this.#lines.splice(0, this.#lines.length >>> 1);
    for (const { name } of forgotten) this.#latest.delete(name);
    this.#floor = forgotten.at(-1)?.sequence ?? this.#floor;
  }
}
