/**
 * What requests to change the configuration do, by the state they meet.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { XmcastError } from '../../../control/errors';
import { content, numbered, request, restarted, rollback, start, type Bench } from './bench';
import { SimulatedDisk } from './simulated-disk';

jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });

let disk: SimulatedDisk;
let bench: Bench;

beforeEach(async () => {
  disk = new SimulatedDisk();
  bench = await start({ disk });
});
afterEach(() => bench.manager.close());

/** Lets time pass, and what is due then happen. */
async function pass(ms: number): Promise<void> {
  bench.clock.advance(ms);
  await jest.advanceTimersByTimeAsync(ms);
  // Waits behind whatever is under way.
  await bench.manager.reload({ validateOnly: true, takeover: false }).catch(() => undefined);
}

async function states(): Promise<string[]> {
  return (await bench.manager.revisions()).map(({ id, state }) => `${id} ${state}`);
}

test('an empty state folder: nothing runs, revision 0, until the first Apply', async () => {
  expect(bench.starting).toMatchObject({ mode: 'api', running: { revision: 0, config: { interfaces: [] } } });
  const { revision, changes, confirmDeadlineWallMs } = await bench.manager.apply(request(numbered(2)));
  expect({ revision, confirmDeadlineWallMs, runs: bench.router.runs }).toEqual({ revision: 1, confirmDeadlineWallMs: undefined, runs: 2 });
  expect(changes.map(({ path }) => path)).toEqual(['interfaces[eth0]', 'interfaces[eth1]']);
  expect(await restarted(disk)).toBe(2);
});

test('what runs already is answered with the same revision and disturbs nothing', async () => {
  const { etag } = await bench.manager.apply(request(numbered(2)));
  const again = await bench.manager.apply(request(numbered(2), { confirmTimeoutMs: 60_000 }));
  expect(again).toMatchObject({ revision: 1, etag, changes: [], confirmDeadlineWallMs: undefined });
  expect(bench.router.followed).toHaveLength(1);
  expect(await states()).toEqual(['1 current']);
});

test('validate_only: the same answer, and nothing happened', async () => {
  await bench.manager.apply(request(numbered(2)));
  const said = await bench.manager.apply(request(numbered(3), { validateOnly: true }));
  expect(said).toMatchObject({ revision: 1, etag: numbered(3).etag, changes: [{ path: 'interfaces[eth1].ttl_threshold', before: '2', after: '3', effect: 'live' }] });
  expect(bench.router.followed).toHaveLength(1);
  expect(await states()).toEqual(['1 current']);
  const done = await bench.manager.apply(request(numbered(3)));
  expect({ ...done, revision: 1 }).toEqual(said);
});

test('an etag that is not the running one: refused, with both', async () => {
  const { etag } = await bench.manager.apply(request(numbered(2)));
  await bench.manager.apply(request(numbered(3), { etag }));
  await expect(bench.manager.apply(request(numbered(4), { etag }))).rejects.toMatchObject({
    reason: 'ETAG_MISMATCH',
    metadata: { etag, running_etag: numbered(3).etag, running_revision: '2' },
  });
  expect(bench.router.runs).toBe(3);
});

test('a request that comes again with its id is answered alike and carried out once; with another content it is refused', async () => {
  const asked = request(numbered(2), { requestId: 'a', comment: 'evening' });
  const answers = await Promise.all([bench.manager.apply(asked), bench.manager.apply(asked)]);
  await bench.manager.apply(request(numbered(3)));
  answers.push(await bench.manager.apply(asked));
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  expect(bench.router.runs).toBe(3);
  await expect(bench.manager.apply({ ...asked, content: numbered(4) })).rejects.toMatchObject({ reason: 'REQUEST_ID_REUSED' });
});

test('a request that was carried out before a restart is answered, although its etag is old by then', async () => {
  const { etag } = await bench.manager.apply(request(numbered(2)));
  const asked = request(numbered(3), { requestId: 'b', etag });
  await bench.manager.apply(asked);
  await bench.manager.close();
  bench = await start({ disk: disk.afterKill() });
  expect(await bench.manager.apply(asked)).toMatchObject({ revision: 2, etag: numbered(3).etag });
  expect(bench.router.followed).toEqual([]);
});

test('ids are forgotten, the oldest first', async () => {
  const asked = (index: number) => request(numbered((index % 2) + 1), { requestId: `id-${index}` });
  for (let index = 0; index <= 64; index++) await bench.manager.apply(asked(index));
  const before = bench.router.followed.length;
  await bench.manager.apply(asked(2));
  expect(bench.router.followed).toHaveLength(before);
  await bench.manager.apply(request(numbered(7)));
  expect(await bench.manager.apply(asked(0))).toMatchObject({ revision: 67 });
});

describe('confirm_timeout', () => {
  beforeEach(async () => {
    await bench.manager.apply(request(numbered(2)));
    await bench.manager.apply(request(numbered(3), { confirmTimeoutMs: 60_000 }));
  });

  test('until the deadline the new configuration runs; unconfirmed, the old one is back at it', async () => {
    expect(bench.router.runs).toBe(3);
    await pass(59_999);
    expect({ runs: bench.router.runs, states: await states() }).toEqual({ runs: 3, states: ['2 unconfirmed', '1 applied'] });
    await pass(1);
    expect({ runs: bench.router.runs, states: await states() }).toEqual({ runs: 2, states: ['2 reverted', '1 current'] });
    expect(await bench.manager.get(0)).toMatchObject({ running: { revision: 1 }, confirmDeadlineWallMs: undefined });
    await expect(bench.manager.confirm(2)).rejects.toMatchObject({ reason: 'NOTHING_TO_CONFIRM' });
  });

  test('confirmed, it stays, and confirming once more is fine', async () => {
    await pass(59_999);
    expect(await bench.manager.confirm(0)).toMatchObject({ revision: 2 });
    expect(await bench.manager.confirm(2)).toMatchObject({ revision: 2 });
    await pass(120_000);
    expect({ runs: bench.router.runs, states: await states(), later: await restarted(disk) }).toEqual({
      runs: 3,
      states: ['2 current', '1 applied'],
      later: 3,
    });
  });

  test('the daemon ends before the confirmation: the old one runs after the restart', async () => {
    for (const left of [disk.afterKill(), disk.afterPowerFailure(() => false)]) {
      const next = await start({ disk: left });
      expect(next.starting.running).toMatchObject({ revision: 1, etag: numbered(2).etag });
      expect((await next.manager.revisions()).map(({ id, state }) => `${id} ${state}`)).toEqual(['2 reverted', '1 current']);
      expect(next.log.lines.map(({ text }) => text)).toContain('revision 2 was not confirmed when xmcastd ended: it is taken back');
    }
  });

  test('meanwhile another Apply is refused, a dry run is not', async () => {
    await expect(bench.manager.apply(request(numbered(4)))).rejects.toMatchObject({ reason: 'UNCONFIRMED_REVISION', metadata: { revision: '2' } });
    expect(await bench.manager.apply(request(numbered(4), { validateOnly: true }))).toMatchObject({ changes: [{ before: '3', after: '4' }] });
    await expect(bench.manager.confirm(1)).rejects.toMatchObject({ reason: 'NOTHING_TO_CONFIRM' });
    await expect(bench.manager.rollback(rollback(7))).rejects.toMatchObject({ reason: 'UNCONFIRMED_REVISION' });
  });

  test.each([0, 1])('rolling back to %i takes it back at once', async (revision) => {
    expect(await bench.manager.rollback(rollback(revision))).toMatchObject({ revision: 1, changes: [{ before: '3', after: '2' }] });
    expect({ runs: bench.router.runs, states: await states() }).toEqual({ runs: 2, states: ['2 reverted', '1 current'] });
    await pass(60_000);
    expect(bench.router.followed).toHaveLength(3);
  });

  test('the router does not go back: the condition says so, and it is asked again until it does', async () => {
    bench.router.refusals.push(new XmcastError('XM_INTERFACE', 'attach eth1: EBUSY', { hint: 'wait' }));
    await pass(60_000);
    expect({ runs: bench.router.runs, states: await states() }).toMatchObject({ runs: 3, states: ['2 unconfirmed', '1 applied'] });
    expect(bench.manager.conditions().join()).toContain('attach eth1: EBUSY');
    await pass(5_000);
    expect({ runs: bench.router.runs, conditions: bench.manager.conditions() }).toEqual({ runs: 2, conditions: [] });
  });
});

test('the first Apply of all, not confirmed: the empty state is back', async () => {
  await bench.manager.apply(request(numbered(2), { confirmTimeoutMs: 1_000 }));
  await pass(1_000);
  expect(bench.router.followed.at(-1)?.interfaces).toEqual([]);
  expect(await restarted(disk)).toBe(0);
});

test('the router refuses: the configuration before runs on and the revision is marked', async () => {
  await bench.manager.apply(request(numbered(2)));
  bench.router.refusals.push(new XmcastError('XM_ADDRESS_IN_USE', 'listen on [::1]:9469: EADDRINUSE', { hint: 'stop the other' }));
  await expect(bench.manager.apply(request(numbered(3)))).rejects.toMatchObject({
    reason: 'NOT_APPLIED',
    metadata: { code: 'XM_ADDRESS_IN_USE', hint: 'stop the other' },
  });
  expect({ states: await states(), later: await restarted(disk) }).toEqual({ states: ['2 failed', '1 current'], later: 2 });
  expect((await bench.manager.get(0)).lastError).toContain('EADDRINUSE');
  await bench.manager.apply(request(numbered(4)));
  expect({ states: await states(), error: (await bench.manager.get(0)).lastError }).toEqual({ states: ['3 current', '2 failed', '1 applied'], error: '' });
});

describe('rollback', () => {
  beforeEach(async () => {
    for (const threshold of [2, 3, 4]) await bench.manager.apply(request(numbered(threshold)));
  });

  test('without a number: to what ran before, as a revision of its own', async () => {
    expect(await bench.manager.rollback(rollback(0, { comment: 'too early' }))).toMatchObject({ revision: 4, etag: numbered(3).etag });
    expect((await bench.manager.revisions())[0]).toMatchObject({ id: 4, state: 'current', author: 'rollback to 2', comment: 'too early' });
    expect(bench.router.runs).toBe(3);
  });

  test('to a number, with a deadline', async () => {
    await bench.manager.rollback(rollback(1, { confirmTimeoutMs: 10_000 }));
    expect(bench.router.runs).toBe(2);
    await pass(10_000);
    expect(bench.router.runs).toBe(4);
  });

  test('to one that is not kept, or damaged: refused', async () => {
    disk.damage('/var/lib/xmcast/revision-2', (bytes) => bytes.subarray(0, bytes.length - 9));
    await expect(bench.manager.rollback(rollback(9))).rejects.toMatchObject({ reason: 'NO_SUCH_REVISION' });
    await expect(bench.manager.rollback(rollback(2))).rejects.toMatchObject({ reason: 'REVISION_DAMAGED' });
    expect(await bench.manager.rollback(rollback(0, { validateOnly: true }))).toMatchObject({ etag: numbered(2).etag });
    expect(bench.router.runs).toBe(4);
  });
});

test('at most twenty revisions are kept, the running one among them', async () => {
  for (let index = 0; index < 25; index++) await bench.manager.apply(request(numbered(index + 1)));
  const listed = await states();
  expect({ count: listed.length, first: listed[0], last: listed.at(-1) }).toEqual({ count: 20, first: '25 current', last: '6 applied' });
});

test('warnings: what needs a restart, and interfaces that do not exist', async () => {
  await bench.manager.close();
  bench = await start({ disk, missing: ['eth9'] });
  const given = content('interfaces: [{name: eth0}, {name: eth9}]\nlimits: {routes: 5000}');
  const { warnings } = await bench.manager.apply(request(given));
  expect(warnings).toEqual(['limits.routes takes effect when xmcastd is started again', 'interface "eth9" does not exist here; it is waited for']);
  expect((await bench.manager.get(0)).restartPaths).toEqual(['limits.routes']);
  expect(bench.manager.conditions()).toEqual(['limits.routes: in effect when xmcastd is started again']);
});

test('requests that arrive together are carried out one after the other; too many are refused', async () => {
  const answers = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => bench.manager.apply(request(numbered(index + 1)))));
  expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(16);
  expect(bench.router.followed.map(({ interfaces }) => interfaces[1]?.ttlThreshold)).toEqual(Array.from({ length: 16 }, (_, index) => index + 1));
  expect(answers.at(-1)).toMatchObject({ reason: { reason: 'TOO_MANY_WAITING' } });
});

describe('a file decides', () => {
  let folder: string;
  let file: string;
  let inFile: number;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'xmcast-reload-'));
    file = join(folder, 'xmcast.yaml');
    inFile = 5;
    writeFileSync(file, 'interfaces: [{name: eth0, upstream: true}, {name: eth1, ttl_threshold: 5}]');
    await bench.manager.close();
    bench = await startWithFile();
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function startWithFile(left = disk): Promise<Bench> {
    return start({ disk: left, file, readFile: async () => numbered(inFile) });
  }

  test('it writes nothing to the state folder, and Apply is refused', async () => {
    await expect(bench.manager.apply(request(numbered(6)))).rejects.toMatchObject({ reason: 'FILE_MANAGED', metadata: { file } });
    await expect(bench.manager.rollback(rollback(0))).rejects.toMatchObject({ reason: 'FILE_MANAGED' });
    expect({ names: disk.names(), listed: await states(), runs: bench.router.followed }).toEqual({ names: [], listed: [], runs: [] });
    const { warnings, changes } = await bench.manager.apply(request(numbered(6), { validateOnly: true }));
    expect({ warnings, changes: changes.length }).toEqual({ warnings: [`${file} decides here; applying needs takeover`], changes: 1 });
  });

  test('reload follows the file; what is unchanged disturbs nothing', async () => {
    expect(await bench.manager.reload({ validateOnly: false, takeover: false })).toMatchObject({ revision: 0, changes: [] });
    expect(bench.router.followed).toHaveLength(0);
    inFile = 6;
    expect(await bench.manager.reload({ validateOnly: true, takeover: false })).toMatchObject({ changes: [{ before: '5', after: '6' }] });
    expect(bench.router.followed).toHaveLength(0);
    await bench.manager.reload({ validateOnly: false, takeover: false });
    expect(bench.router.runs).toBe(6);
  });

  test('takeover: the API decides, also after a restart with the file, until a reload gives it back', async () => {
    await bench.manager.apply(request(numbered(7), { takeover: true }));
    expect(await bench.manager.get(0)).toMatchObject({ mode: 'api', file, running: { revision: 1 } });
    await expect(bench.manager.reload({ validateOnly: false, takeover: false })).rejects.toMatchObject({ reason: 'API_MANAGED' });
    await bench.manager.close();

    bench = await startWithFile();
    expect(bench.starting).toMatchObject({ mode: 'api', running: { revision: 1, etag: numbered(7).etag } });
    expect(bench.manager.conditions()).toEqual([`${file} is not read: the API has taken over from it`]);
    await bench.manager.reload({ validateOnly: false, takeover: true });
    expect(bench.router.runs).toBe(5);
    await bench.manager.close();

    bench = await startWithFile();
    expect(bench.starting).toMatchObject({ mode: 'file', running: { revision: 0 } });
  });

  test('takeover with the same content still changes who decides', async () => {
    expect(await bench.manager.apply(request(numbered(5), { takeover: true }))).toMatchObject({ revision: 1, changes: [] });
    expect(await bench.manager.get(0)).toMatchObject({ mode: 'api' });
  });

  test('a takeover that nobody confirms: the file decides again', async () => {
    await bench.manager.apply(request(numbered(7), { takeover: true, confirmTimeoutMs: 60_000 }));
    expect((await startWithFile(disk.afterKill())).starting.mode).toBe('file');
    await pass(60_000);
    expect({ runs: bench.router.runs, view: await bench.manager.get(0) }).toMatchObject({ runs: 5, view: { mode: 'file', running: { revision: 0 } } });
  });

  test('a takeover that is confirmed lasts', async () => {
    await bench.manager.apply(request(numbered(7), { takeover: true, confirmTimeoutMs: 60_000 }));
    await bench.manager.confirm(1);
    expect((await startWithFile(disk.afterKill())).starting).toMatchObject({ mode: 'api', running: { revision: 1 } });
  });

  test('another file than the one taken over from is read', async () => {
    await bench.manager.apply(request(numbered(7), { takeover: true }));
    const other = join(folder, 'other.yaml');
    writeFileSync(other, 'interfaces: [{name: eth0}]');
    expect((await start({ disk, file: other })).starting).toMatchObject({ mode: 'file', file: other });
  });
});

test('without a file there is nothing to reload', async () => {
  await expect(bench.manager.reload({ validateOnly: false, takeover: true })).rejects.toMatchObject({ reason: 'NO_FILE' });
});
