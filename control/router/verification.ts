/**
 * Lets the data plane compare what is installed with what should be, again and again, and says what came of it: once for each repair, and
 * what cannot be repaired for as long as that lasts.
 */
import type { Dataplane } from '../dataplane/api';
import { errorText } from '../errors';
import type { Log } from '../log';

export class Verification {
  readonly #dataplane: Pick<Dataplane, 'verify'>;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #problems: readonly string[] = [];
  #closed = false;

  constructor(dataplane: Pick<Dataplane, 'verify'>, log: Log) {
    this.#dataplane = dataplane;
    this.#log = log;
  }

  /** What the last comparison could not put right, one sentence each. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Again for another interval. */
  start(intervalMs: number): void {
    clearInterval(this.#timer);
    if (this.#closed) return;
    this.#timer = setInterval(() => {
      this.#running ??= this.#verify().finally(() => (this.#running = undefined));
    }, intervalMs);
  }

  /** Resolves when nothing is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  async #verify(): Promise<void> {
    try {
      const { repairs, problems } = await this.#dataplane.verify();
      if (this.#closed) return;
      for (const [kind, count] of repairs) this.#log.warn({ kind, count }, `repaired what somebody else had changed in the kernel: ${count} of kind ${kind}`);
      for (const problem of problems.filter((one) => !this.#problems.includes(one))) this.#log.error({}, problem);
      this.#problems = problems;
    } catch (error) {
      if (!this.#closed) this.#log.error({ err: error }, `compare what is installed with what should be: ${errorText(error)}`);
    }
  }
}
