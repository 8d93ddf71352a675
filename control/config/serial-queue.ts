/**
 * One piece of work after the other, in the order of arrival.
 */
import { ConfigRefusal } from './refusal';

/** More callers than this at once are none that wait for an answer. */
const MAX_WAITING = 16;

export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  /** Settles as `work` does. */
  run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closed) return Promise.reject(new ConfigRefusal('TOO_MANY_WAITING', 'xmcastd is stopping'));
    if (this.#waiting >= MAX_WAITING) {
      return Promise.reject(new ConfigRefusal('TOO_MANY_WAITING', `${MAX_WAITING} requests to change the configuration wait already`));
    }
    this.#waiting++;
    const result = this.#last.then(work).finally(() => this.#waiting--);
    // The caller hears of a failure; the next piece of work does not depend on it.
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Resolves when what was begun or waits has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
  }
}
