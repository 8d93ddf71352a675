/** What processes have used so far, from /proc: CPU time of all their threads, and memory. Read only. */
import { readdirSync, readFileSync } from 'node:fs';

/** User and system time in ns. Finer than /proc/PID/stat, which counts in hundredths of a second. */
export function cpuTimeNs(pids: readonly number[]): number {
  return sum(
    pids.flatMap((pid) => readdirSync(`/proc/${pid}/task`).map((thread) => runTimeNs(`/proc/${pid}/task/${thread}/schedstat`))),
  );
}

export function residentBytes(pids: readonly number[]): number {
  return sum(
    pids.map((pid) => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? NaN) * 1024),
  );
}

function runTimeNs(path: string): number {
  try {
    return Number(readFileSync(path, 'utf8').split(' ')[0]);
  } catch {
    // The thread has ended since its name was read.
    return 0;
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
