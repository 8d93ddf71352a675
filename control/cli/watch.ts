/**
 * Shows a view again and again until it is told to stop. Keeps no time but the pause between two looks.
 */
import { setTimeout as delay } from 'node:timers/promises';

import type { Live } from './live-views';

export interface WatchOptions<Shown> {
  readonly everyMs: number;
  /** Ends it at once, also in the middle of a look. */
  readonly signal: AbortSignal;
  readonly look: () => Promise<Shown>;
  readonly show: (shown: Shown) => void;
}

/** Resolves when the signal comes; rejects as look() does. */
export async function watchUntilStopped<Shown>({ everyMs, signal, look, show }: WatchOptions<Shown>): Promise<void> {
  const stopped = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  while (!signal.aborted) {
    const shown = await Promise.race([look().then((value) => ({ value })), stopped]);
    if (shown === undefined) return;
    show(shown.value);
    await pause(everyMs, signal);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    // The only rejection is the abort, which the loop sees.
  }
}

export interface FollowOptions {
  readonly everyMs: number;
  readonly signal: AbortSignal;
  readonly live: Live;
  readonly show: () => void;
  /** Also when something has changed, not only each time. */
  readonly promptly: boolean;
}

/** Drawing more often than this is seen by nobody. */
const SHORTEST_GAP_MS = 100;

/** Shows a list that follows a stream: when it is complete, then as told. Resolves when the signal comes; rejects as the stream does. */
export async function followUntilStopped({ everyMs, signal, live, show, promptly }: FollowOptions): Promise<void> {
  const pacer = new Pacer(show);
  const timer = live.isSampled ? undefined : setInterval(() => pacer.showNow(), everyMs);
  try {
    await live.follow(() => (promptly || !pacer.hasShown ? pacer.showSoon() : undefined), signal);
  } finally {
    clearInterval(timer);
    pacer.stop();
  }
}

/** Shows at once, or a little later together with what comes until then. */
class Pacer {
  readonly #show: () => void;
  #lastMs = -Infinity;
  #soon: NodeJS.Timeout | undefined;
  #isReady = false;

  constructor(show: () => void) {
    this.#show = show;
  }

  get hasShown(): boolean {
    return this.#isReady;
  }

  showSoon(): void {
    this.#isReady = true;
    const waitMs = this.#lastMs + SHORTEST_GAP_MS - performance.now();
    if (waitMs <= 0) this.showNow();
    else this.#soon ??= setTimeout(() => this.showNow(), waitMs);
  }

  /** Not before there is something to show. */
  showNow(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    if (!this.#isReady) return;
    this.#lastMs = performance.now();
    this.#show();
  }

  stop(): void {
    clearTimeout(this.#soon);
  }
}
