/**
 * Many restarts, and an interface that goes down and up many times: in the end the same state, and no descriptor, map, program,
 * link or pin more than at the beginning. For a test in short, for `npm run soak:life` at length.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { run } from './command';
import type { Daemon } from './daemon';
import { eventually } from './eventually';
import { createStar, SOURCE, type Star } from './star';

export interface SoakOptions {
  readonly restarts: number;
  readonly flaps: number;
  readonly onProgress?: (done: string) => void;
}

/** Everything of the forwarder that could pile up. */
export interface Inventory {
  readonly routes: readonly string[];
  readonly descriptors: number;
  readonly pins: readonly string[];
  readonly maps: number;
  readonly programs: number;
  readonly links: number;
}

const G = '239.1.1.1';
const igmp = { query_response_interval: '1s' };
const PATIENCE_MS = 60_000;

/** Resolves with what there was at first and at last. */
export async function soakLife({ restarts, flaps, onProgress = () => undefined }: SoakOptions): Promise<readonly [Inventory, Inventory]> {
  const star = await createStar('soak', [{ name: 'host1' }, { name: 'host2' }]);
  try {
    let daemon = await star.start({ igmp });
    await begin(star, daemon);
    const before = await takeInventory(star, daemon);
    for (let round = 1; round <= restarts; round++) {
      daemon = await restart(star, daemon, round % 2 === 0 ? 'SIGTERM' : 'SIGKILL');
      if (round % 10 === 0) onProgress(`${round} restarts`);
    }
    for (let round = 1; round <= flaps; round++) {
      await flap(star, daemon, round);
      if (round % 100 === 0) onProgress(`${round} flaps`);
    }
    await settled(star, daemon, before);
    return [before, await takeInventory(star, daemon)];
  } finally {
    await star.lab.close();
  }
}

async function begin(star: Star, daemon: Daemon): Promise<void> {
  for (const host of star.hosts) await star.lab.receiver(host, { joins: [G] });
  await star.lab.sender(star.source, { group: G, source: SOURCE, rate: 200, size: 200 });
  await eventually(async () => (await routesOf(daemon)).length === 2, { what: 'the stream has its routes', timeoutMs: PATIENCE_MS });
  await eventually(async () => (await routesOf(daemon)).every((route) => route.endsWith('lan1,lan2')), { what: 'both hosts are members', timeoutMs: PATIENCE_MS });
}

async function restart(star: Star, daemon: Daemon, signal: 'SIGTERM' | 'SIGKILL'): Promise<Daemon> {
  daemon.process.signal(signal);
  await daemon.process.exited;
  daemon.client.close();
  return star.start({ igmp });
}

/** Of lan2: down and up; every fourth time it is waited for until it is in use again. */
async function flap(star: Star, daemon: Daemon, round: number): Promise<void> {
  if (round % 4 > 0) {
    await star.router.run(['ip', 'link', 'set', 'dev', 'lan2', 'down']);
    await star.router.run(['ip', 'link', 'set', 'dev', 'lan2', 'up']);
    return;
  }
  await eventually(async () => (await routesOf(daemon)).some((route) => route.includes('lan2')), { what: 'lan2 is in use again', timeoutMs: PATIENCE_MS });
}

async function settled(star: Star, daemon: Daemon, { routes, descriptors }: Inventory): Promise<void> {
  await eventually(
    async () => {
      const now = await takeInventory(star, daemon);
      return now.routes.join() === routes.join() && now.descriptors <= descriptors;
    },
    { what: 'everything is as it was', timeoutMs: PATIENCE_MS, intervalMs: 200 },
  );
}

async function routesOf(daemon: Daemon): Promise<readonly string[]> {
  const routes = await daemon.client.listRoutes({ group: G });
  return routes.map(({ source, group, outgoingInterfaces }) => `${source}/${group} ${outgoingInterfaces?.join()}`).sort();
}

async function takeInventory(star: Star, daemon: Daemon): Promise<Inventory> {
  return {
    routes: await routesOf(daemon),
    descriptors: readdirSync(`/proc/${await pidOf(daemon)}/fd`).length,
    pins: (readdirSync(daemon.pinPath, { recursive: true, encoding: 'utf8' })).sort(),
    ...(await kernelObjects(await pidOf(daemon))),
    links: (await star.router.run(['bpftool', '-j', 'net', 'show'])).split('"xm_').length - 1,
  };
}

/** As the descriptors of the process name them: others on this machine have their own. */
async function kernelObjects(pid: number): Promise<{ readonly maps: number; readonly programs: number }> {
  const kinds = { map_id: new Set<string>(), prog_id: new Set<string>() };
  for (const fd of readdirSync(`/proc/${pid}/fdinfo`)) {
    for (const [, kind, id] of readIfThere(`/proc/${pid}/fdinfo/${fd}`).matchAll(/^(map_id|prog_id):\s*(\d+)/gm)) kinds[kind as keyof typeof kinds].add(id ?? '');
  }
  return { maps: kinds.map_id.size, programs: kinds.prog_id.size };
}

/** A descriptor may be closed between two looks. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Of node itself: what was spawned entered the namespace and became it. */
async function pidOf(daemon: Daemon): Promise<number> {
  const command = (await run(['ps', '-o', 'comm=', '-p', String(daemon.process.pid)])).trim();
  if (command === 'node') return daemon.process.pid;
  const children = (await run(['ps', '-o', 'pid=', '--ppid', String(daemon.process.pid)])).trim().split(/\s+/);
  return Number(children[0]);
}
