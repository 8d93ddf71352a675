/**
 * WatchStatus of SystemService. What the status is made of comes from everywhere, conditions and certificates included, and hardly any of it
 * tells when it changes: so it is looked at now and then as long as somebody watches, once for all who do.
 */
import type { xmcast } from '#proto';

import { ChangeJournal } from './change-journal';
import type { StreamHandlers } from './define-service';
import type { WatchTable } from './watch-source';
import { watch } from './watch-stream';
import type { WatchUsage } from './watch-usage';

type Status = xmcast.v1.GetStatusResponse.$Properties;

const LOOK_MS = 500;
/** Of the one entry that there is. */
const KEY = 'status';

export function statusWatchHandlers(read: () => Status, usage: WatchUsage): StreamHandlers<xmcast.v1.SystemService> {
  const watched = new WatchedStatus(read);
  return {
    watchStatus: async ({ resumeToken }, stream) => {
      const leave = watched.enter();
      try {
        await watch(usage, stream, {
          topic: 'status',
          query: [],
          matches: () => true,
          resumeToken: resumeToken ?? '',
          table: watched.table,
          weightOf: () => 0,
          message: (progress, { entries }) => ({ progress, status: entries[0] ?? null }),
        });
      } finally {
        leave();
      }
    },
  };
}

class WatchedStatus {
  readonly table: WatchTable<string, Status>;
  readonly #read: () => Status;
  readonly #journal = new ChangeJournal<string>();
  #watchers = 0;
  #timer: NodeJS.Timeout | undefined;
  /** What it last looked like. */
  #face = '';

  constructor(read: () => Status) {
    this.#read = read;
    this.table = { journal: this.#journal, keys: () => [KEY], read };
  }

  /** Returns what ends it. */
  enter(): () => void {
    this.#watchers += 1;
    this.#look();
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
    return () => {
      this.#watchers -= 1;
      if (this.#watchers > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  #look(): void {
    const face = faceOf(this.#read());
    if (face === this.#face) return;
    this.#face = face;
    this.#journal.record(KEY, KEY);
  }
}

/** All but when the hold time ends: that is reckoned anew by two clocks each time, and comes out a millisecond off. */
function faceOf({ takeover, ...status }: Status): string {
  const { holdEndTime, ...found } = takeover ?? {};
  return JSON.stringify([status, takeover === undefined ? undefined : found, holdEndTime === undefined]);
}
