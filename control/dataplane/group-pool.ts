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
  /** Of the set it stands for. */
  readonly key: string;
}

/** A group that was in use before this controller began. */
export interface AdoptedGroup {
  readonly index: number;
  readonly slots: number;
  readonly vports: readonly VportId[];
  readonly users: number;
  /** A device has vanished from among its slots: no new route may have it. */
  readonly hasHoles: boolean;
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

interface Spare {
  readonly index: number;
  readonly slots: number;
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
/** A map with more slots than so many times the set is not worth walking as long as a better one can be made. */
const WORTHWHILE = 2;
/** Slots in one tick: emptying many groups must not hold up what comes next. */
const CLEARED_AT_ONCE = 1024;

export class GroupPool {
  readonly limit: number;
  readonly #writer: GroupWriter;
  /** By slots, ascending. */
  readonly #classes: ReadonlyMap<number, SizeClass>;
  readonly #used = new Map<string, { readonly group: Group; users: number }>();
  /** By set, the longest resting first. A set that comes back meanwhile has its group again at once. */
  readonly #resting = new Map<string, Resting>();
  #complete = false;

  /** `limit`: sets in use at one time. `sizes`: slots of each class, ascending; they have no maps until add(). */
  constructor(limit: number, sizes: readonly number[], writer: GroupWriter) {
    this.limit = limit;
    this.#writer = writer;
    this.#classes = new Map(sizes.map((slots) => [slots, { spare: [], total: 0 }]));
  }

  /** No more maps will come: from now on any that is large enough will do. */
  complete(): void {
    this.#complete = true;
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

  /**
   * One more user of the group of this set. undefined when no group of sufficient size is to be had. `vports` is ascending. `wanted`: the
   * index of the one to take, where it is spare and fits.
   */
  acquire(vports: readonly VportId[], nowMs: number, wanted?: number): Group | undefined {
    const key = vports.join();
    const existing = this.#used.get(key);
    if (existing !== undefined) {
      existing.users++;
      return existing.group;
    }
    if (this.#used.size >= this.limit) return undefined;
    const spare = this.#takeResting(key) ?? this.#takeSpare(vports.length, nowMs, wanted);
    if (spare === undefined) return undefined;
    const group: Group = { ...spare, vports: [...vports], key };
    try {
      // Also one that rested: a device may have changed since.
      this.#writer.fill(group.index, vports);
    } catch (error) {
      this.#writer.clear(group.index, vports.length);
      this.#giveBack(group);
      throw error;
    }
    this.#used.set(key, { group, users: 1 });
    return group;
  }

  /** Counts it as one of its size, and hands it to as many users as it has. Its slots are as they were. */
  adopt({ index, slots, vports, users, hasHoles }: AdoptedGroup): Group {
    const sizeClass = this.#classes.get(slots);
    if (sizeClass === undefined) throw new RangeError(`no size class of ${slots} slots`);
    sizeClass.total++;
    const set = vports.join();
    // A second group of the same set is served out.
    const key = hasHoles || this.#used.has(set) ? `${set} of ${index}` : set;
    const group: Group = { index, slots, vports, key };
    this.#used.set(key, { group, users });
    return group;
  }

  /** One user less. The last one sends the group to rest. */
  release(group: Group, nowMs: number): void {
    const { key } = group;
    const entry = this.#used.get(key);
    if (entry === undefined || entry.group.index !== group.index) throw new Error(`release of group ${group.index}, which is not in use`);
    entry.users--;
    if (entry.users > 0) return;
    this.#used.delete(key);
    this.#resting.set(key, { group, untilMs: nowMs + GROUP_REST_MS });
  }

  /** Empties groups whose rest is over. Returns when there is more to do, which may be now. */
  tick(nowMs: number): number | undefined {
    let slots = 0;
    for (const [key, { group, untilMs }] of this.#resting) {
      if (untilMs > nowMs || slots >= CLEARED_AT_ONCE) return untilMs;
      // One that was adopted may have slots in use beyond its set.
      const used = key === group.vports.join() ? group.vports.length : group.slots;
      slots += used;
      this.#writer.clear(group.index, used);
      this.#resting.delete(key);
      this.#giveBack(group);
    }
    return undefined;
  }

  /** Groups in use that have this vport: their slots must be written again when its device has changed. */
  groupsWith(vport: VportId): readonly Group[] {
    return this.groupsInUse().filter(({ vports }) => vports.includes(vport));
  }

  /** All that are in use. */
  groupsInUse(): readonly Group[] {
    return [...this.#used.values()].map(({ group }) => group);
  }

  isInUse({ key, index }: Group): boolean {
    return this.#used.get(key)?.group.index === index;
  }

  #takeResting(key: string): Group | undefined {
    const resting = this.#resting.get(key);
    this.#resting.delete(key);
    return resting?.group;
  }

  #takeSpare(slots: number, nowMs: number, wanted: number | undefined): Spare | undefined {
    this.tick(nowMs);
    const largest = this.#complete ? Infinity : slots * WORTHWHILE;
    const fitting = [...this.#classes].filter(([size]) => size >= slots && size <= largest);
    return (wanted === undefined ? undefined : takeThis(fitting, wanted)) ?? takeAny(fitting);
  }

  #giveBack(group: Group): void {
    this.#classes.get(group.slots)?.spare.push(group.index);
  }
}

type SizeClasses = readonly (readonly [slots: number, SizeClass])[];

function takeThis(classes: SizeClasses, index: number): Spare | undefined {
  for (const [slots, { spare }] of classes) {
    const at = spare.indexOf(index);
    if (at < 0) continue;
    spare.splice(at, 1);
    return { index, slots };
  }
  return undefined;
}

function takeAny(classes: SizeClasses): Spare | undefined {
  for (const [slots, { spare }] of classes) {
    const index = spare.pop();
    if (index !== undefined) return { index, slots };
  }
  return undefined;
}

/** A broadcast walks every slot of its map, also the empty ones: no set is in a map half as large again as it needs. */
const SIZES: readonly number[] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024];

/** Slots of each size class for so many ports. */
export function sizeClasses(ports: number): readonly number[] {
  const largest = SIZES.find((slots) => slots >= ports) ?? ports;
  return SIZES.filter((slots) => slots < largest).concat(largest);
}
