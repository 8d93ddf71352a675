/** One router fed with reports: how long it works on them, what it knows then, what it has lost. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Reporter } from '../../lab/reporter';
import { cpuTimeNs, residentBytes } from '../peers/process-usage';
import { createRouterBed, type RouterBed, type RouterName } from '../peers/routers';
import type { Cell } from './results';

export interface Feed {
  readonly router: RouterName;
  readonly version: 2 | 3;
  readonly groups: number;
  readonly recordsPerReport: number;
  /** Groups a second. */
  readonly rate: number;
}

/** From the host's address on, all in its subnet. */
const HOSTS = 200;
const FIRST_GROUP = '239.16.0.0';
/** A router that uses less than this share of a CPU for so long has nothing left to do but its regular work. */
const IDLE_WINDOW_MS = 500;
const IDLE_SHARE = 0.1;
const LOOK_MS = 20;
const GIVE_UP_MS = 180_000;

/** A router started for it: new memberships, then the same ones once more. */
export async function measureFeed(feed: Feed): Promise<readonly Cell[]> {
  const bed = await createRouterBed(feed.router, { groups: feed.groups });
  try {
    const reporter = await bed.lab.reporter(bed.host, { address: bed.host.address, hosts: HOSTS, version: feed.version });
    await untilIdle(bed.pids);
    await bed.lostMessages(0);
    const atRest = residentBytes(bed.pids);
    const cells: Cell[] = [];
    for (const change of ['join', 'refresh'] as const) cells.push(await measureChange(bed, reporter, feed, { change, atRest }));
    return cells;
  } finally {
    await bed.close();
  }
}

interface Change {
  readonly change: Cell['change'];
  readonly atRest: number;
}

async function measureChange(bed: RouterBed, reporter: Reporter, feed: Feed, { change, atRest }: Change): Promise<Cell> {
  const { router, version, groups, recordsPerReport, rate } = feed;
  const cpuBefore = cpuTimeNs(bed.pids);
  const started = performance.now();
  await reporter.send({ change, firstGroup: FIRST_GROUP, count: groups, recordsPerReport, rate });
  const end = await untilIdle(bed.pids);
  const resident = residentBytes(bed.pids);
  return {
    ...{ router, version, change, offered: groups, recordsPerReport, offeredPerSecond: rate },
    lostMessages: await bed.lostMessages(Math.ceil(groups / recordsPerReport)),
    known: await bed.groups(),
    routes: (await bed.routes()) ?? null,
    cpuMs: (end.cpuNs - cpuBefore) / 1e6,
    wallMs: end.atMs - started,
    residentBytes: resident,
    grownBytes: resident - atRest,
  };
}

/** Resolves with the time and the CPU clock at which the idle time began. */
async function untilIdle(pids: readonly number[]): Promise<{ readonly atMs: number; readonly cpuNs: number }> {
  const giveUpAt = performance.now() + GIVE_UP_MS;
  let since = { atMs: performance.now(), cpuNs: cpuTimeNs(pids) };
  for (;;) {
    await pause(LOOK_MS);
    const now = { atMs: performance.now(), cpuNs: cpuTimeNs(pids) };
    const isBusy = now.cpuNs - since.cpuNs > IDLE_SHARE * IDLE_WINDOW_MS * 1e6;
    if (!isBusy && now.atMs - since.atMs >= IDLE_WINDOW_MS) return since;
    if (now.atMs > giveUpAt) throw new Error(`the router has been busy for ${GIVE_UP_MS} ms`);
    if (isBusy) since = now;
  }
}
