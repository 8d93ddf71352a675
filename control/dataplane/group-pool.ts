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

export interface Group {
  /** Index in the outer map. */
  readonly index: number;
  readonly slots: number;
  readonly vports: readonly VportId[];
}

/** A size class that is about to run dry, and how many maps would make it comfortable. */
export interface Shortage {
  readonly slots: number;
  readonly count: number;
}

interface SizeClass {
  readonly spare: number[];
  /** Maps of this size there are, spare or not. */
  total: number;
}

interface Resting {
  readonly group: Group;
  readonly untilMs: number;
}

/** Longer than any RCU grace period and any NAPI cycle. */
export const GROUP_REST_MS = 1000;
/** A class grows when less than a quarter of it is spare. */
const SPARE_SHARE = 4;
const SMALLEST_SPARE = 2;

export class GroupPool {
  readonly limit: number;
  readonly #writer: GroupWriter;
  /** By slots, ascending. */
  readonly #classes: ReadonlyMap<number, SizeClass>;
  readonly #used = new Map<string, { readonly group: Group; users: number }>();
  #resting: Resting[] = [];

  /** `limit`: sets in use at one time. `sizes`: slots of each class, ascending; they have no maps until add(). */
  constructor(limit: number, sizes: readonly number[], writer: GroupWriter) {
    this.limit = limit;
    this.#writer = writer;
    this.#classes = new Map(sizes.map((slots) => [slots, { spare: [], total: 0 }]));
  }

  get used(): number {
    return this.#used.size;
  }

  /** New, empty maps of one size. */
  add(slots: number, indexes: readonly number[]): void {
    const sizeClass = this.#classes.get(slots);
    if (sizeClass === undefined) throw new RangeError(`no size class of ${slots} slots`);
    sizeClass.spare.push(...indexes);
    sizeClass.total += indexes.length;
  }

  shortages(): readonly Shortage[] {
    const found: Shortage[] = [];
    for (const [slots, { spare, total }] of this.#classes) {
      if (spare.length < Math.max(SMALLEST_SPARE, total / SPARE_SHARE)) found.push({ slots, count: Math.max(SMALLEST_SPARE, total) });
    }
    return found;
  }

  /** One more user of the group of this set. undefined when no group of sufficient size is to be had. `vports` is ascending. */
  acquire(vports: readonly VportId[], nowMs: number): Group | undefined {
    const key = vports.join();
    const existing = this.#used.get(key);
    if (existing !== undefined) {
      existing.users++;
      return existing.group;
    }
    const spare = this.#used.size < this.limit ? this.#takeSpare(vports.length, nowMs) : undefined;
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
    let due = 0;
    while (due < this.#resting.length && (this.#resting[due]?.untilMs ?? Infinity) <= nowMs) due++;
    for (const { group } of this.#resting.splice(0, due)) {
      this.#writer.clear(group.index, group.vports.length);
      this.#giveBack(group);
    }
    return this.#resting[0]?.untilMs;
  }

  /** Groups in use that have this vport: their slots must be written again when its device has changed. */
  groupsWith(vport: VportId): readonly Group[] {
    return [...this.#used.values()].map(({ group }) => group).filter(({ vports }) => vports.includes(vport));
  }

  #takeSpare(slots: number, nowMs: number): { index: number; slots: number } | undefined {
    this.tick(nowMs);
    for (const [size, { spare }] of this.#classes) {
      if (size < slots) continue;
      const index = spare.pop();
      if (index !== undefined) return { index, slots: size };
    }
    return undefined;
  }

  #giveBack(group: Group): void {
    this.#classes.get(group.slots)?.spare.push(group.index);
  }
}

/** Slots of each size class for so many ports: a broadcast walks every slot of its map, so small sets get small maps. */
export function sizeClasses(ports: number): readonly number[] {
  const sizes = [4, 16, 64, 256, 1024];
  const largest = sizes.find((slots) => slots >= ports) ?? ports;
  return sizes.filter((slots) => slots < largest).concat(largest);
}
