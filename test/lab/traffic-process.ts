/**
 * One running xmtraffic and its line protocol: each command gets one answer, in order (test/lab/traffic/tool.h). Also makes sure
 * that the program is there and was built from the sources at hand.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from './command';
import type { LabProcess } from './lab-process';
import { inRepository } from './repository';

const SOURCES = inRepository('test/lab/traffic');
const PROGRAM = inRepository('build/lab/xmtraffic');

interface Line {
  readonly event: 'ready' | 'answer' | 'finished';
  readonly error?: string;
}

interface Waiter {
  readonly command: string;
  resolve(line: Line): void;
  reject(error: Error): void;
}

export class TrafficProcess {
  readonly #process: LabProcess;
  /** Waiting for "ready" first, then for one answer each. */
  readonly #waiters: Waiter[] = [];
  readonly #finished: Promise<Line>;
  #settleFinished: Pick<Waiter, 'resolve' | 'reject'> | undefined;

  private constructor(child: LabProcess) {
    this.#process = child;
    this.#finished = new Promise((resolve, reject) => (this.#settleFinished = { resolve, reject }));
    // Whoever asks gets the rejection; a program nobody asks about may end as it likes.
    this.#finished.catch(() => undefined);
    child.onStdoutLine((line) => this.#receive(line));
    void child.exited.then(() => this.#failAll());
  }

  /** Resolves when the program has opened its sockets and made the joins it was started with. */
  static async start(child: LabProcess): Promise<TrafficProcess> {
    const traffic = new TrafficProcess(child);
    await traffic.#wait('start');
    return traffic;
  }

  /** The caller knows the shape of the answer: program and lab are built from one tree. */
  async command<T>(command: string): Promise<T> {
    if (this.#process.hasExited) throw this.#gone(command);
    const answer = this.#wait(command);
    this.#process.writeLine(command);
    return (await answer) as T;
  }

  /** The last line. Rejects when the program ended without one. */
  async finished<T>(): Promise<T> {
    return (await this.#finished) as T;
  }

  #wait(command: string): Promise<Line> {
    return new Promise((resolve, reject) => this.#waiters.push({ command, resolve, reject }));
  }

  #receive(text: string): void {
    const line = JSON.parse(text) as Line;
    if (line.event === 'finished') {
      this.#settleFinished?.resolve(line);
      return;
    }
    const waiter = this.#waiters.shift();
    if (line.error === undefined) waiter?.resolve(line);
    else waiter?.reject(new Error(`${this.#process.name}: ${waiter.command}: ${line.error}`));
  }

  #failAll(): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#gone(waiter.command));
    this.#settleFinished?.reject(this.#gone('finish'));
  }

  #gone(command: string): Error {
    return new Error(`${command}: ${this.#process.describeEnd()}`);
  }
}

let building: Promise<void> | undefined;

/** Path of xmtraffic, built when it is missing or older than its sources. */
export async function trafficProgram(): Promise<string> {
  if (building !== undefined || !isUpToDate()) await (building ??= build());
  return PROGRAM;
}

function sourceFiles(suffix: RegExp): readonly string[] {
  return readdirSync(SOURCES)
    .filter((name) => suffix.test(name))
    .map((name) => join(SOURCES, name));
}

function isUpToDate(): boolean {
  if (!existsSync(PROGRAM)) return false;
  const builtMs = statSync(PROGRAM).mtimeMs;
  return sourceFiles(/\.[ch]$/).every((file) => statSync(file).mtimeMs <= builtMs);
}

/** Under another name first: several test processes may find it missing at once, and one may be running the old one. */
async function build(): Promise<void> {
  const unfinished = `${PROGRAM}.${process.pid}`;
  mkdirSync(dirname(PROGRAM), { recursive: true });
  await run(['gcc', '-O2', '-Wall', '-Wextra', '-Werror', '-o', unfinished, ...sourceFiles(/\.c$/)], { timeoutMs: 60_000 });
  renameSync(unfinished, PROGRAM);
}
