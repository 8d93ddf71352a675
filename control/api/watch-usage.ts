/**
 * How many watch, what they were spared and who was given up, for metrics. Owns the limit of watchers.
 */
import { DEFAULT_API_LIMITS } from '../config/api-settings';

export const WATCH_TOPICS = ['interfaces', 'memberships', 'reports', 'neighbors', 'routes', 'flows', 'events', 'status'] as const;
export type WatchTopic = (typeof WATCH_TOPICS)[number];

export interface TopicUsage {
  readonly topic: WatchTopic;
  readonly subscribers: number;
  /** Changes that were not sent because a later one took their place. */
  readonly coalesced: bigint;
  /** Streams ended because their client did not read. */
  readonly stalled: bigint;
}

export class WatchUsage {
  /** Of all topics together. When it becomes less, those that watch go on. */
  limit = DEFAULT_API_LIMITS.watchers;
  readonly #topics = new Map(WATCH_TOPICS.map((topic) => [topic, { subscribers: 0, coalesced: 0n, stalled: 0n }]));
  #watchers = 0;

  /** False: there are too many. */
  enter(topic: WatchTopic): boolean {
    if (this.#watchers >= this.limit) return false;
    this.#watchers += 1;
    this.#of(topic).subscribers += 1;
    return true;
  }

  leave(topic: WatchTopic): void {
    this.#watchers -= 1;
    this.#of(topic).subscribers -= 1;
  }

  coalesced(topic: WatchTopic, changes: number): void {
    this.#of(topic).coalesced += BigInt(changes);
  }

  stalled(topic: WatchTopic): void {
    this.#of(topic).stalled += 1n;
  }

  snapshot(): readonly TopicUsage[] {
    return [...this.#topics].map(([topic, usage]) => ({ topic, ...usage }));
  }

  #of(topic: WatchTopic): { subscribers: number; coalesced: bigint; stalled: bigint } {
    const usage = this.#topics.get(topic);
    if (usage === undefined) throw new Error(`no topic ${topic}`);
    return usage;
  }
}
