/**
 * The record of one lab under /run/xmcast-lab, written before the thing it names is made, so that whoever cleans up finds
 * everything: close(), the watchdog of a killed test process, or the next process that sweeps. Owns the naming of labs; makes
 * nothing itself.
 *
 *     /run/xmcast-lab/<owner pid>-<owner start time>-<n>/
 *       namespaces   one name a line
 *       processes    "pid start-time" a line, each the leader of a process group
 *       paths        one path a line, removed with everything below it
 *       files/       scratch space of the lab
 */
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join, normalize } from 'node:path';
import { run } from './command';
import { inRepository } from './repository';

const RECORDS = '/run/xmcast-lab';
const CLEANUP = inRepository('test/lab/cleanup.sh');
const REMOVABLE = ['/sys/fs/bpf/', '/run/', '/tmp/'];

export class LabRecord {
  readonly directory: string;
  /** Unique among all labs of the machine. */
  readonly id: string;
  readonly #endWatchdog: () => Promise<void>;

  constructor() {
    const { directory, number } = makeDirectory();
    this.directory = directory;
    this.id = `${process.pid}-${number}`;
    mkdirSync(this.files);
    this.#endWatchdog = startWatchdog(directory);
  }

  get files(): string {
    return join(this.directory, 'files');
  }

  addNamespace(name: string): void {
    this.#append('namespaces', name);
  }

  /** A process that is gone already needs no record. */
  addProcess(pid: number): void {
    const started = processStartTime(pid);
    if (started !== undefined) this.#append('processes', `${pid} ${started}`);
  }

  addPath(path: string): void {
    if (path !== normalize(path) || !REMOVABLE.some((prefix) => path.startsWith(prefix))) {
      throw new Error(`path to remove must be below ${REMOVABLE.join(', ')}: ${path}`);
    }
    this.#append('paths', path);
  }

  /**
   * Removes everything recorded, then the record. The watchdog does it, as it would after a crash: two cleaners at once could
   * meet the next lab of the same number.
   */
  async clean(): Promise<void> {
    await this.#endWatchdog();
    if (existsSync(this.directory)) await cleanNow(this.directory);
  }

  #append(file: string, line: string): void {
    if (line.includes('\n')) throw new Error(`a record is one line: ${JSON.stringify(line)}`);
    appendFileSync(join(this.directory, file), `${line}\n`);
  }
}

/** Removes what labs of processes that no longer run have left, and says how many there were. */
export async function sweepDeadLabs(): Promise<number> {
  mkdirSync(RECORDS, { recursive: true });
  const dead = readdirSync(RECORDS).filter((name) => !isOwnerAlive(name));
  for (const name of dead) await cleanNow(join(RECORDS, name));
  return dead.length;
}

function isOwnerAlive(recordName: string): boolean {
  const [pid = '', started] = recordName.split('-');
  return processStartTime(Number(pid)) === started;
}

/** Field 22 of /proc/PID/stat, counted after the command name, which may hold spaces and brackets. undefined: no such process. */
export function processStartTime(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    // Ended, or never was.
    return undefined;
  }
}

async function cleanNow(directory: string): Promise<void> {
  await run(['sh', CLEANUP, 'now', directory], { timeoutMs: 60_000 });
}

/** mkdir decides who has a number: several copies of this module may live in one process, as under jest. */
function makeDirectory(): { directory: string; number: number } {
  mkdirSync(RECORDS, { recursive: true });
  for (let number = 1; ; number++) {
    const directory = join(RECORDS, `${process.pid}-${processStartTime(process.pid)}-${number}`);
    try {
      mkdirSync(directory);
      return { directory, number };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/**
 * A child in a session of its own that waits for the end of its stdin. The kernel closes the other end when this process ends in
 * whatever way, SIGKILL included. Returns what ends it in peace, once everything is removed.
 */
function startWatchdog(directory: string): () => Promise<void> {
  const child = spawn('sh', [CLEANUP, 'when-owner-ends', directory], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  const ended = new Promise<void>((resolve) => {
    child.on('exit', () => resolve());
    child.on('error', () => resolve());
  });
  child.stdin.on('error', () => undefined);
  child.unref();
  if (child.stdin instanceof Socket) child.stdin.unref();
  return () => {
    child.ref();
    child.stdin.end();
    return ended;
  };
}
