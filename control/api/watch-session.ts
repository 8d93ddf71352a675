/**
 * One watcher of one table: a snapshot, `synced`, then what changes, in batches. Knows no messages and no transport. It never has more
 * than one batch under way and keeps nothing but its place in the journal: what changes while the transport is busy is sent once, as it
 * is by then.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

import type { WatchTable } from './watch-source';

export interface WatchBatch<Key, State> {
  /** What was sent before is out of date. */
  readonly reset: boolean;
  /** Nothing more waits. */
  readonly synced: boolean;
  /** Where another session may go on; undefined: nowhere, a snapshot is under way. */
  readonly position: WatchPosition | undefined;
  readonly coalesced: number;
  readonly entries: readonly State[];
  readonly removed: readonly Key[];
}

export interface WatchPosition {
  readonly epoch: string;
  readonly sequence: number;
}

/** When a session looks. Without samples: when something has changed. */
export interface Sampling {
  readonly everyMs: number;
  /** Everything that matches is sent each time, changed or not. */
  readonly all: boolean;
  /** Changes are sent between the samples too. */
  readonly promptly: boolean;
  /** Makes what will be read fresh. */
  readonly refresh: () => Promise<void>;
}

export interface WatchOptions<Key, State> {
  readonly table: WatchTable<Key, State>;
  readonly matches: (key: Key) => boolean;
  /** Addresses, names and figures in it, as of a page. */
  readonly weightOf: (state: State) => number;
  readonly sampling?: Sampling;
  /** Resolves when the transport has taken it. A rejection ends the session. */
  readonly send: (batch: WatchBatch<Key, State>) => Promise<void>;
  /** The watcher is gone. */
  readonly signal: AbortSignal;
}

/** Some 2 ms of work and 20 KB: beyond, messages get no cheaper. */
const BATCH_ENTRIES = 100;
const BATCH_WEIGHT = 16_384;
/** Keys looked at in one go. */
const STRIDE = 1024;

type Cause = 'change' | 'sample' | 'over';

export class WatchSession<Key, State> {
  readonly #options: WatchOptions<Key, State>;
  /** Everything up to this change was sent. */
  #sequence = 0;
  #wake: (() => void) | undefined;
  #nextSampleMs = 0;

  constructor(options: WatchOptions<Key, State>) {
    this.#options = options;
  }

  /** Resolves when the signal comes; rejects as send() and refresh() do. `from`: where an earlier session was. */
  async run(from?: WatchPosition): Promise<void> {
    const { table, signal } = this.#options;
    // Asked first: with a watcher the journal may begin anew.
    const { epoch } = table.journal;
    const leave = table.journal.watch(() => this.#wake?.());
    const onAbort = (): void => this.#wake?.();
    signal.addEventListener('abort', onAbort);
    try {
      const isKnown = from?.epoch === epoch && from.sequence <= table.journal.sequence;
      await this.#begin(isKnown ? from.sequence : undefined);
      for (let cause = await this.#pause(); cause !== 'over'; cause = await this.#pause()) await this.#look(cause);
    } finally {
      signal.removeEventListener('abort', onAbort);
      leave();
    }
  }

  async #begin(sequence: number | undefined): Promise<void> {
    const { sampling } = this.#options;
    if (sampling !== undefined) await this.#sampleBegins(sampling);
    if (sequence === undefined) return this.#snapshot();
    this.#sequence = sequence;
    await this.#sendChanges({ always: true });
  }

  async #look(cause: Cause): Promise<void> {
    const { sampling } = this.#options;
    if (cause === 'change' || sampling === undefined) return this.#sendChanges({ always: false });
    await this.#sampleBegins(sampling);
    if (!sampling.all) return this.#sendChanges({ always: true });
    await this.#sendChanges({ always: false, onlyRemoved: true });
    await this.#sendAll({ reset: false });
  }

  async #sampleBegins({ everyMs, refresh }: Sampling): Promise<void> {
    this.#nextSampleMs = performance.now() + everyMs;
    await refresh();
  }

  #snapshot(): Promise<void> {
    return this.#sendAll({ reset: true });
  }

  /** What changes meanwhile is read as it is by then, and sent once more with the changes. */
  async #sendAll({ reset }: { readonly reset: boolean }): Promise<void> {
    const { table, matches, signal } = this.#options;
    const { sequence } = table.journal;
    let batch = new Batch<Key, State>(this.#options, reset);
    let looked = 0;
    for (const key of table.keys()) {
      if (++looked % STRIDE === 0) await nextTurn();
      if (signal.aborted) return;
      if (!matches(key)) continue;
      const state = table.read(key);
      if (state !== undefined) batch.add(state);
      if (!batch.isFull) continue;
      await this.#send(batch, undefined);
      batch = new Batch(this.#options, false);
    }
    this.#sequence = sequence;
    await this.#send(batch, { synced: true, sequence });
  }

  async #sendChanges({ always, onlyRemoved = false }: { readonly always: boolean; readonly onlyRemoved?: boolean }): Promise<void> {
    const { table, matches, signal } = this.#options;
    let batch = new Batch<Key, State>(this.#options, false);
    for (let more = true; more && !signal.aborted; ) {
      const changes = table.journal.after(this.#sequence, BATCH_ENTRIES);
      if (changes === undefined) return this.#snapshot();
      batch.coalesced += changes.coalesced;
      for (const key of changes.keys.filter(matches)) {
        const state = table.read(key);
        if (state === undefined) batch.removed.push(key);
        else if (!onlyRemoved) batch.add(state);
        if (!batch.isFull) continue;
        await this.#send(batch, { synced: false, sequence: this.#sequence });
        batch = new Batch(this.#options, false);
      }
      this.#sequence = changes.sequence;
      more = changes.sequence < table.journal.sequence;
      if (!more || batch.length === 0) continue;
      await this.#send(batch, { synced: false, sequence: this.#sequence });
      batch = new Batch(this.#options, false);
    }
    if (always || (!onlyRemoved && batch.length > 0) || batch.removed.length > 0) {
      await this.#send(batch, { synced: !onlyRemoved, sequence: this.#sequence });
    }
  }

  /** `place` undefined: in the middle of a snapshot. */
  async #send(batch: Batch<Key, State>, place: { readonly synced: boolean; readonly sequence: number } | undefined): Promise<void> {
    const { signal, send, table } = this.#options;
    if (signal.aborted) return;
    const position = place === undefined ? undefined : { epoch: table.journal.epoch, sequence: place.sequence };
    const { reset, coalesced, entries, removed } = batch;
    await send({ reset, synced: place?.synced ?? false, position, coalesced, entries, removed });
    // A fast transport must not keep everything else from its turn.
    await nextTurn();
  }

  async #pause(): Promise<Cause> {
    const { table, sampling, signal } = this.#options;
    const listens = sampling === undefined || sampling.promptly;
    if (signal.aborted) return 'over';
    if (listens && table.journal.sequence > this.#sequence) return 'change';
    let timer: NodeJS.Timeout | undefined;
    const cause = await new Promise<Cause>((resolve) => {
      this.#wake = () => {
        if (signal.aborted) resolve('over');
        else if (listens) resolve('change');
      };
      if (sampling !== undefined) timer = setTimeout(() => resolve('sample'), Math.max(0, this.#nextSampleMs - performance.now()));
    });
    clearTimeout(timer);
    this.#wake = undefined;
    return cause;
  }
}

class Batch<Key, State> {
  readonly reset: boolean;
  readonly entries: State[] = [];
  readonly removed: Key[] = [];
  coalesced = 0;
  readonly #weightOf: (state: State) => number;
  #weight = 0;

  constructor({ weightOf }: Pick<WatchOptions<Key, State>, 'weightOf'>, reset: boolean) {
    this.#weightOf = weightOf;
    this.reset = reset;
  }

  get length(): number {
    return this.entries.length + this.removed.length;
  }

  get isFull(): boolean {
    return this.entries.length >= BATCH_ENTRIES || this.#weight >= BATCH_WEIGHT;
  }

  add(state: State): void {
    this.entries.push(state);
    this.#weight += this.#weightOf(state);
  }
}
