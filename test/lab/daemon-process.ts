/** The process of a daemon of the lab, as the kernel shows it. Read only. */
import { readdirSync, readFileSync } from 'node:fs';
import { run } from './command';
import type { Daemon } from './daemon';

/** Of node itself: what was spawned entered the namespace and became it. */
export async function pidOf(daemon: Daemon): Promise<number> {
  const command = (await run(['ps', '-o', 'comm=', '-p', String(daemon.process.pid)])).trim();
  if (command === 'node') return daemon.process.pid;
  const children = (await run(['ps', '-o', 'pid=', '--ppid', String(daemon.process.pid)])).trim().split(/\s+/);
  return Number(children[0]);
}

/** How long its threads could have run so far and were not let, all together: what a busy machine takes from it. */
export async function runDelayMs(daemon: Daemon): Promise<number> {
  const pid = await pidOf(daemon);
  const delaysNs = readdirSync(`/proc/${pid}/task`).map((thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[1]));
  return delaysNs.reduce((sum, delayNs) => sum + delayNs, 0) / 1e6;
}
