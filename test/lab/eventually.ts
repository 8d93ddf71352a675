/**
 * Waiting for the outside world, in the one place where tests do it: a condition is asked again and again until it holds.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';

export interface EventuallyOptions {
  /** What is waited for, as it should read in the failure: "receiver 2 gets the stream". */
  readonly what: string;
  /** Default 5000. */
  readonly timeoutMs?: number;
  /** Default 20. */
  readonly intervalMs?: number;
}

/**
 * Resolves with the first answer of `check` that is neither undefined nor false. A check that throws counts as "not yet", so it
 * may consist of expectations. Fails with the last answer or error.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  options: EventuallyOptions,
): Promise<Exclude<T, undefined | false>> {
  const timeoutMs = options.timeoutMs ?? 5000;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const attempt = await tryOnce(check);
    if (attempt.held) return attempt.answer;
    if (performance.now() >= deadline) {
      throw new Error(`waited ${timeoutMs} ms in vain: ${options.what}\nlast seen: ${attempt.seen}`, { cause: attempt.cause });
    }
    await pause(options.intervalMs ?? 20);
  }
}

/** Resolves with what `read` says when it has said the same twice: nothing is on its way any more. */
export async function atRest<T>(read: () => Promise<T>, options: EventuallyOptions): Promise<T> {
  let before: string | undefined;
  const { found } = await eventually(async () => {
    const found = await read();
    const now = JSON.stringify(found);
    const isSame = now === before;
    before = now;
    return isSame && { found };
  }, options);
  return found;
}

type Attempt<T> =
  | { readonly held: true; readonly answer: Exclude<T, undefined | false> }
  | { readonly held: false; readonly seen: string; readonly cause?: unknown };

async function tryOnce<T>(check: () => T | Promise<T>): Promise<Attempt<T>> {
  try {
    const answer = await check();
    if (answer === undefined || answer === false) return { held: false, seen: inspect(answer) };
    return { held: true, answer: answer as Exclude<T, undefined | false> };
  } catch (error) {
    return { held: false, seen: error instanceof Error ? error.message : inspect(error), cause: error };
  }
}
