/**
 * Shows a view again and again until it is told to stop. Keeps no time but the pause between two looks.
 */
import { setTimeout as delay } from 'node:timers/promises';

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
