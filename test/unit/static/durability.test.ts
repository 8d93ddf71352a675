/** Static entries on disk: whenever the process dies or the power fails, all updates that were answered are there, and no half of one. */
import { toSettings } from '../../../control/config/defaults';
import { Crash, errno, type SimulatedDisk } from '../config-transactions/simulated-disk';
import { FOLDER, membership, route, world, type Asked } from './bench';

const FIRST: readonly Asked[] = [
  { upserts: [route('239.1.1.1'), membership('239.1.1.2', { sources: ['10.0.0.1'] })] },
  { owner: 'two', upserts: [route('239.2.2.2', { ttlThreshold: 9 })] },
];
const LAST: Asked = { upserts: [route('239.1.1.3')], deletes: [{ route: { group: '239.1.1.1' } }] };
const BEFORE = ['one: 239.1.1.1 up0 > lan1', 'one: lan1 239.1.1.2 10.0.0.1', 'two: 239.2.2.2 up0 > lan1 ttl 9'];
const AFTER = ['one: 239.1.1.3 up0 > lan1', 'one: lan1 239.1.1.2 10.0.0.1', 'two: 239.2.2.2 up0 > lan1 ttl 9'];

async function filled(): Promise<Awaited<ReturnType<typeof world>>> {
  const w = await world();
  for (const asked of FIRST) await w.update(asked);
  return w;
}

async function foundOn(disk: SimulatedDisk): Promise<readonly string[]> {
  return (await world(disk)).held();
}

test('a restart finds what there was, with its revisions', async () => {
  const w = await filled();
  await w.update(LAST);
  const next = await world(w.disk.afterKill());
  expect(await next.held()).toEqual(AFTER);
  expect(next.follower.told).not.toHaveLength(0);
  expect((await next.manager.owners()).map(({ name, revision }) => [name, revision])).toEqual([['config', 0], ['one', 3], ['two', 2]]);
  expect(await next.update({ upserts: [route('239.1.1.4')] })).toMatchObject({ revision: 4 });
});

test('killed at any call of an update: what was before or what is after, whole', async () => {
  const counted = await filled();
  const before = counted.disk.calls;
  await counted.update(LAST);
  const calls = counted.disk.calls - before;
  expect(calls).toBeGreaterThan(4);
  for (let call = 0; call < calls; call++) {
    const w = await filled();
    w.disk.failure = { at: w.disk.calls + call, error: new Crash(), forGood: true };
    await expect(w.update(LAST)).rejects.toThrow();
    const found = await foundOn(w.disk.afterKill());
    expect([call, found]).toEqual([call, found.join() === BEFORE.join() ? BEFORE : AFTER]);
  }
});

test('the power fails at any call, and takes along any of what was not synced: never half of it, nor what was answered', async () => {
  const calls = 8;
  for (let call = 0; call <= calls; call++) {
    for (let luck = 0; luck < 16; luck++) {
      const w = await filled();
      w.disk.failure = { at: w.disk.calls + call, error: new Crash(), forGood: true };
      const answered = await w.update(LAST).then(() => true, () => false);
      let bits = luck;
      const found = await foundOn(w.disk.afterPowerFailure(() => ((bits = (bits >> 1) | ((bits & 1) << 3)) & 1) === 1));
      if (answered) expect(found).toEqual(AFTER);
      else expect([BEFORE.join(), AFTER.join()]).toContain(found.join());
    }
  }
});

test.each(['ENOSPC', 'EROFS', 'EIO'])('%s at any call: refused, nothing has changed, and the next one succeeds', async (code) => {
  for (let call = 0; call < 6; call++) {
    const w = await filled();
    const told = w.follower.told.length;
    w.disk.failure = { at: w.disk.calls + call, error: errno(code) };
    const outcome = await w.update(LAST).then(() => 'done', (error: unknown) => (error as { code: string }).code);
    if (outcome === 'done') continue;
    expect([outcome, await w.held(), w.follower.told.length]).toEqual(['XM_STATE', BEFORE, told]);
    w.disk.failure = undefined;
    expect(await foundOn(w.disk.afterKill())).toEqual(BEFORE);
    await w.update(LAST);
    expect(await foundOn(w.disk.afterKill())).toEqual(AFTER);
  }
});

test('after many updates a snapshot takes their place; the generation before it is kept', async () => {
  const w = await filled();
  for (let i = 0; i < 600; i++) await w.update({ owner: 'busy', replace: true, upserts: [route(`239.9.${i >> 8}.${i & 255}`)] });
  await w.manager.close();
  const names = w.disk.names().map((name) => name.slice(FOLDER.length + 1));
  expect(names.filter((name) => name.startsWith('snapshot'))).toHaveLength(2);
  expect(names.filter((name) => name.startsWith('update')).length).toBeLessThan(600);
  const expected = [...BEFORE, 'busy: 239.9.2.87 up0 > lan1'].sort();
  expect(await foundOn(w.disk.afterKill())).toEqual(expected);
  const newest = names.filter((name) => name.startsWith('snapshot')).sort((a, b) => Number(b.slice(9)) - Number(a.slice(9)))[0];
  const damaged = w.disk.afterKill();
  damaged.damage(`${FOLDER}/${newest}`, (content) => content.subarray(0, content.length - 1));
  const next = await world(damaged);
  expect(await next.held()).toEqual(expected);
  expect(next.log.lines.some(({ level, text }) => level === 'error' && text.includes('checksum'))).toBe(true);
});

test('a damaged update is left out and told; the others hold', async () => {
  const w = await filled();
  await w.update(LAST);
  const disk = w.disk.afterKill();
  disk.damage(`${FOLDER}/update-3`, (content) => {
    content[content.length - 1]! ^= 1;
    return content;
  });
  const next = await world(disk);
  expect(await next.held()).toEqual(BEFORE);
  expect(next.log.lines.map(({ text }) => text).join()).toContain('update-3 is damaged');
  expect(await next.update(LAST)).toMatchObject({ revision: 4 });
});

test('what the configuration no longer knows is kept all the same', async () => {
  const w = await filled();
  const next = await world(w.disk.afterKill(), toSettings({ interfaces: [{ name: 'other' }] }));
  expect(await next.held()).toEqual(BEFORE);
});
