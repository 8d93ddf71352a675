/**
 * Which replication group stands for which outgoing set. Equal sets share one group; a new set takes a spare one of the smallest size
 * class that holds it; a group nobody uses rests before it is emptied and reused, because packets may still be on their way through it.
 * Pure bookkeeping over an injected writer: slots are written before the group is handed out. Never frees a map.
 */
import type { VportId } from '../mrib/route';

export interface GroupWriter {
  /** Fill slots 0 … vports.length-1. A vport whose device is absent gets no slot. Throws when the kernel refuses. */
  fill(group: number, vports: readonly VportId[]): void;
  /** Empty slots 0 … slots-1. */
  clear(group: number, slots: number): void;
}

export interface SizeClass {
  /** Slots of each map. */
  readonly slots: number;
  /** How many maps of this size there are. */
  readonly count: number;
}

export interface Group {
  /** Index in the outer map. */
  readonly index: number;
  readonly slots: number;
  readonly vports: readonly VportId[];
}

/** Longer than any RCU grace period and any NAPI cycle. */
export const GROUP_REST_MS = 1000;

interface Resting {
  readonly group: Group;
  readonly untilMs: number;
}

export class GroupPool {
  readonly limit: number;
  readonly #writer: GroupWriter;
  readonly #spare = new Map<number, number[]>();
  readonly #used = new Map<string, { readonly group: Group; users: number }>();
  #resting: Resting[] = [];

  /** Outer indexes are given out in the order of the classes: the caller creates the maps in the same order. */
  constructor(classes: readonly SizeClass[], writer: GroupWriter) {
    this.#writer = writer;
    let index = 0;
    for (const { slots, count } of classes) {
      this.#spare.set(slots, Array.from({ length: count }, (_, i) => index + count - 1 - i));
      index += count;
    }
    this.limit = index;
  }

  get used(): number {
    return this.#used.size;
  }

  /** One more user of the group of this set. undefined when no group of sufficient size is to be had. `vports` is ascending. */
  acquire(vports: readonly VportId[], nowMs: number): Group | undefined {
    const key = vports.join();
    const existing = this.#used.get(key);
    if (existing !== undefined) {
      existing.users++;
      return existing.group;
    }
    const spare = this.#takeSpare(vports.length, nowMs);
    if (spare === undefined) return undefined;
    const group: Group = { ...spare, vports: [...vports] };
    try {
      this.#writer.fill(group.index, vports);
    } catch (error) {
      this.#writer.clear(group.index, vports.length);
      this.#giveBack(group);
      throw error;
    }
    this.#used.set(key, { group, users: 1 });
    return group;
  }

  /** One user less. The last one sends the group to rest. */
  release(group: Group, nowMs: number): void {
    const key = group.vports.join();
    const entry = this.#used.get(key);
    if (entry === undefined || entry.group.index !== group.index) throw new Error(`release of group ${group.index}, which is not in use`);
    entry.users--;
    if (entry.users > 0) return;
    this.#used.delete(key);
    this.#resting.push({ group, untilMs: nowMs + GROUP_REST_MS });
  }

  /** Empties the groups whose rest is over. Returns when the next one is due. */
  tick(nowMs: number): number | undefined {
    const due = this.#resting.filter(({ untilMs }) => untilMs <= nowMs);
    this.#resting = this.#resting.filter(({ untilMs }) => untilMs > nowMs);
    for (const { group } of due) {
      this.#writer.clear(group.index, group.vports.length);
      this.#giveBack(group);
    }
    return this.#resting[0]?.untilMs;
  }

  /** Groups in use or resting that have this vport: their slots must be written again when its device has changed. */
  groupsWith(vport: VportId): readonly Group[] {
    return [...this.#used.values()].map(({ group }) => group).filter(({ vports }) => vports.includes(vport));
  }

  #takeSpare(slots: number, nowMs: number): { index: number; slots: number } | undefined {
    this.tick(nowMs);
    for (const [size, indexes] of this.#spare) {
      if (size < slots) continue;
      const index = indexes.pop();
      if (index !== undefined) return { index, slots: size };
    }
    return undefined;
  }

  #giveBack(group: Group): void {
    this.#spare.get(group.slots)?.push(group.index);
  }
}

/**
 * Shares `total` maps out over the size classes: most sets are small. Every class has at least two, so that a set can change while the
 * old one rests. No class is larger than needed for `ports`.
 */
export function sizeClasses(total: number, ports: number): readonly SizeClass[] {
  const sizes = [4, 16, 64, 256, 1024];
  const largest = sizes.find((slots) => slots >= ports) ?? ports;
  const wanted = sizes.filter((slots) => slots < largest).concat(largest);
  let left = total;
  return wanted.map((slots, i) => {
    const last = i === wanted.length - 1;
    const count = Math.max(2, last ? left : Math.floor(left / 2));
    left = Math.max(0, left - count);
    return { slots, count };
  });
}
