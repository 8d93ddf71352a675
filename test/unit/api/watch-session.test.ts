/** Sessions of watchers over a table of words, with a transport that takes a batch when the test lets it. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ChangeJournal } from '../../../control/api/change-journal';
import { type Sampling, type WatchBatch, type WatchPosition, WatchSession } from '../../../control/api/watch-session';
import { eventually } from '../../lab/eventually';

interface Entry {
  readonly name: string;
  readonly value: number;
}

class World {
  readonly entries = new Map<string, number>();
  readonly journal = new ChangeJournal<string>();
  readonly table = {
    journal: this.journal,
    keys: () => this.entries.keys(),
    read: (name: string): Entry | undefined => {
      const value = this.entries.get(name);
      return value === undefined ? undefined : { name, value };
    },
  };

  set(name: string, value: number): void {
    this.entries.set(name, value);
    this.journal.record(name, name);
  }

  remove(name: string): void {
    this.entries.delete(name);
    this.journal.record(name, name);
  }
}

class Watcher {
  readonly batches: WatchBatch<string, Entry>[] = [];
  readonly stop = new AbortController();
  /** What a client would have. */
  readonly known = new Map<string, number>();
  /** Held back: the transport takes nothing. */
  isSlow: boolean;
  refreshes = 0;
  readonly ended: Promise<void>;
  #release: (() => void) | undefined;

  constructor(world: World, options: { readonly from?: WatchPosition; readonly matches?: (name: string) => boolean; readonly sampling?: Omit<Sampling, 'refresh'>; readonly isSlow?: boolean } = {}) {
    const { from, matches = () => true, sampling, isSlow = false } = options;
    this.isSlow = isSlow;
    const refresh = async (): Promise<void> => void (this.refreshes += 1);
    const session = new WatchSession<string, Entry>({
      table: world.table,
      matches,
      weightOf: () => 1,
      send: (batch) => this.#take(batch),
      signal: this.stop.signal,
      ...(sampling === undefined ? {} : { sampling: { ...sampling, refresh } }),
    });
    this.ended = session.run(from);
  }

  get last(): WatchBatch<string, Entry> | undefined {
    return this.batches.at(-1);
  }

  async synced(count = 1): Promise<void> {
    await eventually(() => this.batches.filter((batch) => batch.synced).length >= count, { what: `${count} batches say synced` });
  }

  release(): void {
    this.isSlow = false;
    this.#release?.();
  }

  async #take(batch: WatchBatch<string, Entry>): Promise<void> {
    if (batch.reset) this.known.clear();
    for (const { name, value } of batch.entries) this.known.set(name, value);
    for (const name of batch.removed) this.known.delete(name);
    this.batches.push(batch);
    if (this.isSlow) await new Promise<void>((resolve) => (this.#release = resolve));
  }
}

const watchers: Watcher[] = [];
function watch(...args: ConstructorParameters<typeof Watcher>): Watcher {
  const watcher = new Watcher(...args);
  watchers.push(watcher);
  return watcher;
}

afterEach(async () => {
  for (const watcher of watchers) {
    watcher.stop.abort();
    watcher.release();
  }
  await Promise.all(watchers.map((watcher) => watcher.ended));
  watchers.length = 0;
});

test('a snapshot in batches, synced with the last; then changes and removals', async () => {
  const world = new World();
  for (let i = 0; i < 250; i++) world.entries.set(`e${i}`, 0);
  const watcher = watch(world);
  await watcher.synced();
  expect(watcher.batches.map(({ reset, synced, entries, position }) => [reset, synced, entries.length, position === undefined])).toEqual([
    [true, false, 100, true],
    [false, false, 100, true],
    [false, true, 50, false],
  ]);
  world.set('e1', 1);
  world.remove('e2');
  await watcher.synced(2);
  expect(watcher.last).toMatchObject({ reset: false, synced: true, entries: [{ name: 'e1', value: 1 }], removed: ['e2'], coalesced: 0 });
});

test('an empty table is synced too', async () => {
  const watcher = watch(new World());
  await watcher.synced();
  expect(watcher.batches).toMatchObject([{ reset: true, synced: true, entries: [] }]);
});

test('a slow watcher gets what changed once, as it is by then, and how much it was spared', async () => {
  const world = new World();
  world.entries.set('a', 0);
  const watcher = watch(world);
  await watcher.synced();
  watcher.isSlow = true;
  world.set('a', 1);
  await eventually(() => watcher.known.get('a') === 1, { what: 'the first change is under way' });
  for (let value = 2; value <= 1000; value++) world.set('a', value);
  world.set('b', 1);
  await nextTurn();
  expect(watcher.batches).toHaveLength(2);
  watcher.release();
  await eventually(() => watcher.known.get('b') === 1, { what: 'the rest arrives' });
  expect(watcher.known.get('a')).toBe(1000);
  expect(watcher.last).toMatchObject({ synced: true, coalesced: 998, entries: [{ name: 'a' }, { name: 'b' }] });
});

test('what changes under the snapshot is right in the end, whatever the order', async () => {
  const world = new World();
  for (let i = 0; i < 1000; i++) world.entries.set(`e${i}`, 0);
  const watcher = watch(world);
  await eventually(() => watcher.batches.length > 0, { what: 'the snapshot has begun' });
  for (let i = 0; i < 1000; i += 3) world.set(`e${i}`, 1);
  for (let i = 1; i < 1000; i += 3) world.remove(`e${i}`);
  world.set('late', 1);
  await eventually(() => watcher.known.size === world.entries.size && watcher.known.get('late') === 1, { what: 'it is caught up' });
  expect(new Map([...watcher.known].sort())).toEqual(new Map([...world.entries].sort()));
});

test('only what matches; and nothing for what does not', async () => {
  const world = new World();
  world.entries.set('mine', 0).set('other', 0);
  const watcher = watch(world, { matches: (name) => name === 'mine' });
  await watcher.synced();
  world.set('other', 1);
  world.set('mine', 1);
  await watcher.synced(2);
  expect(watcher.batches.flatMap(({ entries }) => entries.map(({ name }) => name))).toEqual(['mine', 'mine']);
});

test('resumed where it was: what changed since and nothing else', async () => {
  const world = new World();
  world.entries.set('a', 0).set('b', 0);
  const first = watch(world);
  await first.synced();
  first.stop.abort();
  await first.ended;
  world.set('b', 1);
  world.remove('a');
  const from = first.last?.position;
  const second = watch(world, from === undefined ? {} : { from });
  await second.synced();
  expect(second.batches).toMatchObject([{ reset: false, synced: true, entries: [{ name: 'b', value: 1 }], removed: ['a'] }]);
});

test.each([
  ['of another epoch', { epoch: 'gone', sequence: 0 }],
  ['of the future', { epoch: undefined, sequence: 1_000_000 }],
])('a position %s gives a new snapshot', async (_, { epoch, sequence }) => {
  const world = new World();
  world.entries.set('a', 0);
  const other = watch(world);
  await other.synced();
  const watcher = watch(world, { from: { epoch: epoch ?? world.journal.epoch, sequence } });
  await watcher.synced();
  expect(watcher.batches).toMatchObject([{ reset: true, synced: true, entries: [{ name: 'a' }] }]);
});

test('samples: everything each time, counters read before; removals are told', async () => {
  const world = new World();
  world.entries.set('a', 0).set('b', 0);
  const watcher = watch(world, { sampling: { everyMs: 1, all: true, promptly: false } });
  await watcher.synced(2);
  world.remove('b');
  await eventually(() => watcher.batches.some(({ removed }) => removed.includes('b')), { what: 'b is gone' });
  const count = watcher.batches.length;
  await eventually(() => watcher.batches.length > count + 2, { what: 'more samples' });
  expect(watcher.last).toMatchObject({ reset: false, entries: [{ name: 'a' }] });
  expect(watcher.refreshes).toBeGreaterThan(2);
});

test('samples of what has changed: an empty one says synced', async () => {
  const world = new World();
  world.entries.set('a', 0);
  const watcher = watch(world, { sampling: { everyMs: 1, all: false, promptly: false } });
  await watcher.synced(3);
  expect(watcher.batches[2]).toMatchObject({ synced: true, entries: [], removed: [] });
  world.set('a', 1);
  await eventually(() => watcher.known.get('a') === 1, { what: 'the change is in a sample' });
});

test('changes between samples, where they are asked for', async () => {
  const world = new World();
  world.entries.set('a', 0);
  const watcher = watch(world, { sampling: { everyMs: 3_600_000, all: true, promptly: true } });
  await watcher.synced();
  world.set('a', 1);
  await eventually(() => watcher.known.get('a') === 1, { what: 'the change comes at once' });
});

test('one that stalls keeps its batch and nothing else; others are served', async () => {
  const world = new World();
  for (let i = 0; i < 2000; i++) world.entries.set(`e${i}`, 0);
  const stalled = watch(world, { isSlow: true });
  const other = watch(world);
  await other.synced();
  for (let round = 1; round <= 20; round++) {
    for (let i = 0; i < 2000; i++) world.set(`e${i}`, round);
    await eventually(() => other.known.get('e1999') === round, { what: `round ${round} reaches the other` });
  }
  expect(stalled.batches).toHaveLength(1);
  stalled.release();
  await eventually(() => stalled.known.get('e0') === 20 && stalled.known.size === 2000, { what: 'it is caught up' });
});
