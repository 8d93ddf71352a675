/**
 * A program that runs beside the test: its own process group, its output kept, its end always noticed. Never restarts anything.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface SpawnOptions {
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Stands for the program in messages. Default: the last part of argv[0]. */
  readonly name?: string;
}

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Enough of the output for any failure message; a program that logs for hours must not fill the memory. */
const KEPT_OUTPUT = 1 << 20;

export class LabProcess {
  readonly name: string;
  readonly pid: number;
  /** Never rejects. */
  readonly exited: Promise<ExitStatus>;
  readonly #child: ChildProcess;
  readonly #output = { stdout: '', stderr: '' };
  readonly #lineListeners: ((line: string) => void)[] = [];
  #status: ExitStatus | undefined;

  /** Throws when the program cannot be started at all. */
  constructor(argv: readonly string[], options: SpawnOptions = {}) {
    const [file = '', ...rest] = argv;
    this.name = options.name ?? file.split('/').at(-1) ?? file;
    this.#child = spawn(file, rest, {
      detached: true,
      stdio: 'pipe',
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    this.exited = this.#watchEnd();
    this.#keepOutput();
    if (this.#child.pid === undefined) throw new Error(`start ${argv.join(' ')}: no such program, or not executable`);
    this.pid = this.#child.pid;
  }

  /** Once all its output has been taken in. */
  get hasExited(): boolean {
    return this.#status !== undefined;
  }

  /** The last megabyte. */
  get stdout(): string {
    return this.#output.stdout;
  }

  get stderr(): string {
    return this.#output.stderr;
  }

  /** Lines of stdout from now on, without their ends. */
  onStdoutLine(listener: (line: string) => void): void {
    this.#lineListeners.push(listener);
  }

  writeLine(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** To the whole process group. Nothing happens when it is gone. */
  signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** SIGTERM, and SIGKILL when that has not worked within `graceMs` (default 2000). Idempotent. */
  async terminate(options: { readonly graceMs?: number } = {}): Promise<ExitStatus> {
    if (this.#status !== undefined) return this.#status;
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), options.graceMs ?? 2000);
    const status = await this.exited;
    clearTimeout(timer);
    return status;
  }

  /** For failure messages. */
  describeEnd(): string {
    const end = this.#status === undefined ? 'is running' : `ended with ${this.#status.signal ?? this.#status.code}`;
    return `${this.name} (pid ${this.pid}) ${end}; stderr: ${this.stderr.slice(-2000).trim() || 'empty'}`;
  }

  #watchEnd(): Promise<ExitStatus> {
    return new Promise((resolve) => {
      const settle = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.#status ??= { code, signal };
        resolve(this.#status);
      };
      this.#child.on('error', () => settle(127, null));
      this.#child.on('close', settle);
    });
  }

  #keepOutput(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      this.#child[stream]?.setEncoding('utf8').on('data', (text: string) => {
        this.#output[stream] = (this.#output[stream] + text).slice(-KEPT_OUTPUT);
      });
    }
    // The pipe breaks when the program ends first; `exited` says so better.
    this.#child.stdin?.on('error', () => undefined);
    if (this.#child.stdout === null) return;
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      for (const listener of this.#lineListeners) listener(line);
    });
  }
}
