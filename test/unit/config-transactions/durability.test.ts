/**
 * The state folder under a disk that fails, a process that is killed and power that is cut, at every system call: what runs after a
 * restart is the old configuration or the new one, whole.
 */
import { errorCode } from '../../../control/errors';
import { RevisionStore } from '../../../control/config/revision-store';
import { FOLDER, numbered, request, restarted, start, storeOptions, type Bench } from './bench';
import { Crash, errno, SimulatedDisk } from './simulated-disk';

// No timer of a test that failed outlives it.
jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });

const OLD = 2;
const NEW = 3;
type Task = (bench: Bench) => Promise<unknown>;

const APPLY: Task = ({ manager }) => manager.apply(request(numbered(NEW)));
const APPLY_FOR_NOW: Task = ({ manager }) => manager.apply(request(numbered(NEW), { confirmTimeoutMs: 60_000 }));

/** A daemon that runs OLD, with `task` begun at the call from which on the disk counts. */
async function prepared(before: Task = async () => undefined): Promise<{ disk: SimulatedDisk; bench: Bench; from: number }> {
  const disk = new SimulatedDisk();
  const bench = await start({ disk });
  await bench.manager.apply(request(numbered(1)));
  await bench.manager.apply(request(numbered(OLD)));
  await before(bench);
  return { disk, bench, from: disk.calls };
}

async function callsOf(task: Task, before?: Task): Promise<number> {
  const { disk, bench, from } = await prepared(before);
  await task(bench);
  await bench.manager.close();
  return disk.calls - from;
}

/** Small, fast and the same every time. */
function randomBits(seed: number): () => boolean {
  let state = seed + 1;
  return () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return ((state >>> 16) & 1) === 1;
  };
}

test.each(['ENOSPC', 'EIO', 'EROFS'])('%s at any call of an Apply: refused with a code and the old one runs on, or done', async (code) => {
  const calls = await callsOf(APPLY);
  expect(calls).toBeGreaterThan(10);
  let refused = 0;
  for (let at = 0; at < calls; at++) {
    const { disk, bench, from } = await prepared();
    disk.failure = { at: from + at, error: errno(code) };
    const failure = await APPLY(bench).then(() => undefined, (error: unknown) => error);
    disk.failure = undefined;
    const expected = failure === undefined ? NEW : OLD;
    if (failure !== undefined) {
      refused++;
      expect({ at, code: errorCode(failure), cause: errorCode((failure as Error).cause) }).toEqual({ at, code: 'XM_STATE', cause: code });
    }
    expect({ at, runs: bench.router.runs, later: await restarted(disk.afterKill()) }).toEqual({ at, runs: expected, later: expected });
    // And the next one goes through.
    await bench.manager.apply(request(numbered(9)));
    expect(await restarted(disk.afterPowerFailure(() => false))).toBe(9);
    await bench.manager.close();
  }
  expect(refused).toBeGreaterThan(8);
});

test('a disk that stays full: every Apply is refused, nothing changes', async () => {
  const { disk, bench, from } = await prepared();
  disk.failure = { at: from, error: errno('ENOSPC'), forGood: true };
  for (let index = 0; index < 3; index++) await expect(APPLY(bench)).rejects.toMatchObject({ code: 'XM_STATE' });
  expect(bench.router.runs).toBe(OLD);
  disk.failure = undefined;
  expect(await restarted(disk.afterPowerFailure(() => false))).toBe(OLD);
  await bench.manager.close();
});

const TASKS: readonly (readonly [string, { readonly task: Task; readonly before?: Task; readonly done: number }])[] = [
  ['Apply', { task: APPLY, done: NEW }],
  ['Apply with a deadline', { task: APPLY_FOR_NOW, done: OLD }],
  ['Confirm', { before: APPLY_FOR_NOW, task: ({ manager }) => manager.confirm(0), done: NEW }],
  [
    'taking back',
    {
      before: APPLY_FOR_NOW,
      task: ({ manager }) => manager.rollback({ revision: 0, etag: '', validateOnly: false, requestId: '', comment: '', confirmTimeoutMs: undefined }),
      done: OLD,
    },
  ],
];

describe.each(TASKS)('%s', (_name, { task, before, done }) => {
  test('killed before any call: the old one or the new one, and after the answer what was answered', async () => {
    const calls = await callsOf(task, before);
    for (let at = 0; at <= calls; at++) {
      const { disk, bench, from } = await prepared(before);
      disk.failure = { at: from + at, error: new Crash('killed'), forGood: true };
      const answered = await task(bench).then(() => true, () => false);
      const runs = await restarted(disk.afterKill());
      expect({ at, whole: runs === OLD || runs === NEW }).toEqual({ at, whole: true });
      if (answered) expect({ at, runs }).toEqual({ at, runs: done });
      await bench.manager.close();
    }
  });

  test('power cut before any call, whatever of the unsynced made it to the disk: the same', async () => {
    const calls = await callsOf(task, before);
    for (let at = 0; at <= calls; at++) {
      for (let seed = 0; seed < 12; seed++) {
        const { disk, bench, from } = await prepared(before);
        disk.failure = { at: from + at, error: new Crash('power'), forGood: true };
        const answered = await task(bench).then(() => true, () => false);
        const runs = await restarted(disk.afterPowerFailure(randomBits(seed * 1000 + at)));
        expect({ at, seed, whole: runs === OLD || runs === NEW }).toEqual({ at, seed, whole: true });
        if (answered) expect({ at, seed, runs }).toEqual({ at, seed, runs: done });
        await bench.manager.close();
      }
    }
  });
});

describe('damage', () => {
  let disk: SimulatedDisk;

  beforeEach(async () => {
    disk = new SimulatedDisk();
    const { manager } = await start({ disk });
    for (const threshold of [1, OLD, NEW]) await manager.apply(request(numbered(threshold)));
    await manager.close();
  });

  test('any byte of the newest revision: the one before runs, and the log says why', async () => {
    const path = `${FOLDER}/revision-3`;
    const { length } = await disk.read(path);
    for (let at = 0; at < length; at += 7) {
      const copy = disk.afterKill();
      copy.damage(path, (bytes) => {
        bytes[at] = (bytes[at] ?? 0) ^ 0x20;
        return bytes;
      });
      const { starting, log, manager } = await start({ disk: copy });
      expect({ at, revision: starting.running.revision, etag: starting.running.etag }).toEqual({ at, revision: 2, etag: numbered(OLD).etag });
      expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(2);
      // Numbers are never used twice.
      expect(await manager.apply(request(numbered(7)))).toMatchObject({ revision: 4 });
      expect(await restarted(copy)).toBe(7);
    }
  });

  test.each([
    ['cut off', (bytes: Buffer) => bytes.subarray(0, 100)],
    ['empty', () => Buffer.alloc(0)],
    ['another version’s', () => Buffer.from('xmcast-revision 2 sha256 00\n{}')],
  ])('a revision that is %s is listed as damaged', async (_name, change) => {
    disk.damage(`${FOLDER}/revision-2`, change);
    const { manager } = await start({ disk });
    expect((await manager.revisions()).map(({ id, state }) => `${id} ${state}`)).toEqual(['3 current', '2 damaged', '1 applied']);
  });

  test('the ledger: the one before it holds; both: the newest good revision', async () => {
    disk.damage(`${FOLDER}/ledger`, (bytes) => bytes.fill(0, 40, 60));
    expect(await restarted(disk.afterKill())).toBe(OLD);
    disk.damage(`${FOLDER}/ledger.old`, () => Buffer.from('x'));
    const { starting, log } = await start({ disk });
    expect(starting.running).toMatchObject({ revision: 3, etag: numbered(NEW).etag });
    expect(log.lines.map(({ text }) => text)).toContain(`the ledger in ${FOLDER} is lost; the newest good revision is 3`);
  });

  test('every revision: the daemon refuses to start rather than to forward nothing', async () => {
    for (const id of [1, 2, 3]) disk.damage(`${FOLDER}/revision-${id}`, () => Buffer.from('x'));
    await expect(start({ disk })).rejects.toMatchObject({ code: 'XM_STATE' });
  });

  test('what a killed process left unfinished is removed', async () => {
    const copy = disk.afterKill();
    copy.damage(`${FOLDER}/ledger`, (bytes) => bytes);
    await copy.create(`${FOLDER}/revision-3.new`);
    await copy.create(`${FOLDER}/ledger.new`);
    await start({ disk: copy });
    expect(copy.names().filter((name) => name.endsWith('.new'))).toEqual([]);
  });
});

test('a folder that another daemon holds is left alone', async () => {
  const options = storeOptions(new SimulatedDisk());
  const lock = (): never => {
    throw errno('EWOULDBLOCK');
  };
  await expect(RevisionStore.open({ ...options, lock })).rejects.toMatchObject({ code: 'XM_ALREADY_RUNNING' });
});
