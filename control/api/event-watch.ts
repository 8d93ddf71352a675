/**
 * One watcher of events: those that are kept, then those that come. The ring of events is what it reads from; when it is slower than that
 * goes round, it is told how many it missed.
 */
import type { EventLog, RouterEvent } from '../events';
import type { WatchPosition } from './watch-session';

export interface EventBatch {
  /** Events after the position asked for are missing. */
  readonly reset: boolean;
  readonly synced: boolean;
  readonly position: WatchPosition;
  readonly missed: number;
  readonly events: readonly RouterEvent[];
}

export interface EventWatchOptions {
  readonly events: EventLog;
  readonly matches: (event: RouterEvent) => boolean;
  /** As in WatchOptions. */
  readonly send: (batch: EventBatch) => Promise<void>;
  readonly signal: AbortSignal;
}

const BATCH_EVENTS = 200;

/** Where to begin: after an event that was seen, or with the newest ones of what is kept. */
export type EventStart = { readonly after: WatchPosition } | { readonly newest: number };

export async function watchEvents(start: EventStart, { events, matches, send, signal }: EventWatchOptions): Promise<void> {
  const from = startOf(start, events, matches);
  let [sequence, reset, isFirst] = [from.sequence, from.reset, true];
  for (;;) {
    const wake = news(events, signal);
    const { batch, missed, reached } = take(events, sequence, matches);
    sequence = reached;
    const synced = reached === events.sequence;
    if (signal.aborted) return wake.cancel();
    if (batch.length > 0 || missed > 0 || isFirst) {
      const position = { epoch: events.epoch, sequence };
      await send({ reset, synced, position, missed: isFirst ? 0 : missed, events: batch });
    }
    [reset, isFirst] = [false, false];
    if (synced && sequence === events.sequence) await wake.came;
    wake.cancel();
  }
}

function startOf(start: EventStart, events: EventLog, matches: EventWatchOptions['matches']): { sequence: number; reset: boolean } {
  if ('newest' in start) return { sequence: beginOfNewest(events, matches, start.newest), reset: true };
  const { epoch, sequence } = start.after;
  const isKnown = epoch === events.epoch && sequence >= events.forgotten && sequence <= events.sequence;
  return isKnown ? { sequence, reset: false } : { sequence: events.forgotten, reset: true };
}

/** The sequence before the first of the last `count` that match. */
function beginOfNewest(events: EventLog, matches: EventWatchOptions['matches'], count: number): number {
  if (count === 0) return events.sequence;
  if (count === Infinity) return events.forgotten;
  const kept = [...events.after(0)].filter(matches);
  return (kept.at(-count)?.sequence ?? events.forgotten + 1) - 1;
}

function take(events: EventLog, sequence: number, matches: EventWatchOptions['matches']) {
  const missed = Math.max(0, events.forgotten - sequence);
  const batch: RouterEvent[] = [];
  let reached = Math.max(sequence, events.forgotten);
  for (const event of events.after(reached)) {
    reached = event.sequence;
    if (matches(event)) batch.push(event);
    if (batch.length === BATCH_EVENTS) break;
  }
  return { batch, missed, reached };
}

/** Resolves with the next event, or when the watcher is gone. */
function news(events: EventLog, signal: AbortSignal): { readonly came: Promise<void>; readonly cancel: () => void } {
  let cancel = (): void => undefined;
  const came = new Promise<void>((resolve) => {
    const unsubscribe = events.subscribe(() => resolve());
    const onAbort = (): void => resolve();
    signal.addEventListener('abort', onAbort);
    cancel = () => {
      unsubscribe();
      signal.removeEventListener('abort', onAbort);
    };
  });
  return { came, cancel };
}
