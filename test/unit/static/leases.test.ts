/** Entries that vanish when nobody says that their owner is still there. */
import { errno } from '../config-transactions/simulated-disk';
import { route, world, type World } from './bench';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

/** The time passes, and everything that is then due happens. */
async function pass(w: World, ms: number): Promise<void> {
  w.clock.ms += ms;
  await jest.advanceTimersByTimeAsync(ms);
}

/** Piecewise work goes on with the turns of the event loop, which stand still. */
async function done<Result>(work: Promise<Result>): Promise<Result> {
  await jest.advanceTimersByTimeAsync(0);
  return work;
}

async function started(): Promise<World> {
  const w = await done(world());
  await done(w.update({ leaseMs: 10_000, upserts: [route('239.1.1.1'), route('239.1.1.2')] }));
  await done(w.update({ owner: 'two', upserts: [route('239.2.2.2')] }));
  return w;
}

test('the entries of an owner go when the lease has run out, and nobody else’s', async () => {
  const w = await started();
  expect((await w.manager.owners()).find(({ name }) => name === 'one')).toMatchObject({ leaseMs: 10_000, leaseExpiresWallMs: w.clock.nowWallMs() + 10_000 });
  await pass(w, 9_999);
  expect(await w.held()).toHaveLength(3);
  await pass(w, 1);
  expect(await w.held()).toEqual(['two: 239.2.2.2 up0 > lan1']);
  expect(w.follower.told.slice(3)).toEqual(['239.1.1.1/32', '239.1.1.2/32']);
  expect(w.manager.counts.expiredLeases).toBe(1n);
  expect(w.log.lines.filter(({ level }) => level === 'warn').map(({ text }) => text)).toEqual(['the lease of "one" was not renewed: its static entries go']);
});

test('renewed in time they stay, by a renewal or by any update', async () => {
  const w = await started();
  await pass(w, 9_000);
  expect(await done(w.manager.renew('one'))).toMatchObject({ revision: 1, leaseExpiresWallMs: w.clock.nowWallMs() + 10_000 });
  await pass(w, 9_000);
  await done(w.update({ upserts: [route('239.1.1.1')] }));
  await pass(w, 9_000);
  await done(w.update({ upserts: [route('239.1.1.3')] }));
  await pass(w, 9_999);
  expect(await w.held()).toHaveLength(4);
  await pass(w, 1);
  expect(await w.held()).toHaveLength(1);
});

test('a lease can be taken away, and given to entries that are there', async () => {
  const w = await started();
  await done(w.update({ leaseMs: 0 }));
  await pass(w, 100_000);
  expect(await w.held()).toHaveLength(3);
  await done(w.update({ leaseMs: 5_000 }));
  await pass(w, 5_000);
  expect(await w.held()).toHaveLength(1);
});

test('who has no entries, or no lease, is told so', async () => {
  const w = await started();
  await expect(done(w.manager.renew('two'))).rejects.toMatchObject({ reason: 'NO_LEASE' });
  await expect(done(w.manager.renew('three'))).rejects.toMatchObject({ reason: 'NO_ENTRIES' });
  await pass(w, 10_000);
  await expect(done(w.manager.renew('one'))).rejects.toMatchObject({ reason: 'NO_ENTRIES' });
});

test('what has gone does not come back with a restart; what has a lease begins it anew', async () => {
  const w = await started();
  await done(w.update({ owner: 'three', leaseMs: 60_000, upserts: [route('239.3.3.3')] }));
  await pass(w, 10_000);
  const next = await done(world(w.disk.afterKill()));
  expect(await next.held()).toEqual(['three: 239.3.3.3 up0 > lan1', 'two: 239.2.2.2 up0 > lan1']);
  await pass(next, 59_999);
  expect(await next.held()).toHaveLength(2);
  await pass(next, 1);
  expect(await next.held()).toHaveLength(1);
});

test('a disk that does not take the end of a lease is asked again', async () => {
  const w = await started();
  w.disk.failure = { at: w.disk.calls, error: errno('ENOSPC'), forGood: true };
  await pass(w, 10_000);
  expect(await w.held()).toHaveLength(3);
  w.disk.failure = undefined;
  await pass(w, 5_000);
  expect(await w.held()).toHaveLength(1);
});
