/**
 * Notices what should not happen in a tree without loops: our own IGMP messages coming back by another interface, and streams that
 * come back by an interface they were sent to. Says so once for each pair of interfaces, and remembers it for a while.
 */
import type { EventSink } from '../events';

/** As long as it is not seen again, it counts as over after this. */
const LIFE_MS = 5 * 60_000;
/** Pairs remembered. */
const MOST = 64;

export class LoopAlarm {
  readonly #events: EventSink;
  /** Sentence → time it was last seen. */
  readonly #seen = new Map<string, number>();

  constructor(events: EventSink) {
    this.#events = events;
  }

  /** An IGMP message that left by one interface of ours came in by another. */
  ownMessage(sentBy: string, receivedBy: string, nowMs: number): void {
    this.#alarm(receivedBy, `IGMP sent by ${sentBy} comes in by ${receivedBy}: the two are one link, or something bridges them. Streams may loop there.`, nowMs);
  }

  /** Packets of a stream that is sent to this interface come in by it. */
  returningStream(interfaceName: string, nowMs: number): void {
    this.#alarm(interfaceName, `Streams that are sent to ${interfaceName} come in by it too: another router forwards them there, or there is a loop.`, nowMs);
  }

  conditions(nowMs: number): readonly string[] {
    for (const [text, seenMs] of this.#seen) if (nowMs - seenMs >= LIFE_MS) this.#seen.delete(text);
    return [...this.#seen.keys()];
  }

  #alarm(subject: string, text: string, nowMs: number): void {
    const isNew = this.conditions(nowMs).every((known) => known !== text);
    if (isNew && this.#seen.size >= MOST) return;
    this.#seen.set(text, nowMs);
    if (isNew) this.#events.report({ type: 'loop', severity: 'warn', subject, text });
  }
}
