/**
 * A program that is ended by SIGKILL right before the n-th change it makes to the kernel, and the list of these changes: by a library that
 * is loaded before it (test/lab/crash/crash.c).
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command';
import type { Lab } from './lab';
import { inRepository } from './repository';

const SOURCE = inRepository('test/lab/crash/crash.c');

export class CrashSteps {
  readonly #library: string;
  readonly #trace: string;

  private constructor(lab: Lab) {
    this.#library = join(lab.directory, 'crash.so');
    this.#trace = join(lab.directory, 'changes');
  }

  static async build(lab: Lab): Promise<CrashSteps> {
    const steps = new CrashSteps(lab);
    await run(['gcc', '-O2', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-o', steps.#library, SOURCE]);
    return steps;
  }

  /** Environment of a program whose changes are listed; with `crashAt`, from 1, it ends before that one. Forgets those of the one before. */
  environment(crashAt?: number): Readonly<Record<string, string>> {
    rmSync(this.#trace, { force: true });
    return { LD_PRELOAD: this.#library, XMCAST_CRASH_TRACE: this.#trace, ...(crashAt === undefined ? {} : { XMCAST_CRASH_AT: String(crashAt) }) };
  }

  /** What the program has changed so far, or was about to when it was ended: "map-update", "pin /sys/fs/bpf/…/xm_routes". */
  changes(): readonly string[] {
    return existsSync(this.#trace) ? readFileSync(this.#trace, 'utf8').trimEnd().split('\n') : [];
  }
}

/**
 * Changes, from 1, at which something happens after something else for the first or second time: what lies between is more of the same.
 */
export function tellingChanges(changes: readonly string[]): readonly number[] {
  const seen = new Map<string, number>();
  const found: number[] = [];
  for (const [i, change] of changes.entries()) {
    const pair = `${kindOf(changes[i - 1] ?? '')} ${kindOf(change)}`;
    const times = (seen.get(pair) ?? 0) + 1;
    seen.set(pair, times);
    if (times <= 2 || i === changes.length - 1) found.push(i + 1);
  }
  return found;
}

/** Pins of one kind differ by numbers. */
function kindOf(change: string): string {
  return change.replace(/\d+/g, '0');
}

/** At most `count` of them, as far apart as can be, with the first and the last. */
export function spread<Item>(items: readonly Item[], count: number): readonly Item[] {
  if (items.length <= count) return items;
  return Array.from({ length: count }, (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))]).filter((item) => item !== undefined);
}
