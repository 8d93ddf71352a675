/**
 * CPU time that forwarding has cost, in ns: this process's own, in which the kernel runs generator, forwarder and receivers, and that of
 * ksoftirqd, to which it hands what becomes too much at once. Unlike the clock on the wall it stands still while others have the CPU.
 */
import { readFileSync, readdirSync } from 'node:fs';

export class CpuClock {
  readonly #softirqStats: readonly string[];

  constructor() {
    this.#softirqStats = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && commandOf(name).startsWith('ksoftirqd/'))
      .map((pid) => `/proc/${pid}/schedstat`);
  }

  nowNs(): number {
    const { user, system } = process.cpuUsage();
    return (user + system) * 1000 + this.#softirqStats.reduce((sum, path) => sum + runTimeNs(path), 0);
  }
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8');
  } catch {
    // It has ended.
    return '';
  }
}

/** First field: time on the CPU. */
function runTimeNs(path: string): number {
  return Number(readFileSync(path, 'utf8').split(' ')[0]);
}
