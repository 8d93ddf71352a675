/**
 * Keeps long work from holding up everything else: after so much time in one go, others have their turn.
 */
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';

const GO_MS = 1;

export class Pace {
  #untilMs = performance.now() + GO_MS;

  get isOver(): boolean {
    return performance.now() >= this.#untilMs;
  }

  async rest(): Promise<void> {
    await nextTurn();
    this.#untilMs = performance.now() + GO_MS;
  }
}

/** Each of them, with rests in between. `many`: looked at between two looks at the clock; a few tens of microseconds. */
export async function forEachPaced<Item>(items: Iterable<Item>, work: (item: Item) => void, many = 16): Promise<void> {
  const pace = new Pace();
  let left = many;
  for (const item of items) {
    work(item);
    if (--left > 0) continue;
    left = many;
    if (pace.isOver) await pace.rest();
  }
}
