/**
 * Changes of routes that wait to be written. A later change of a route takes the place of an earlier one that is still waiting; groups
 * go in the order in which they came. Within a group the order is the one in which no source slips through (*,G) that has a route of
 * its own to stop it. Routes for ranges lie below all others and go last. Pure bookkeeping.
 */
import { isRange, nameOf, type RouteChange, type RouteKey } from '../mrib/route';
import type { Ipv4 } from '../protocol/packet/address';

/** So many weigh as much as the route itself: a set of interfaces that is new has to be written slot by slot. */
const INTERFACES_PER_UNIT = 4;

/** A range is held against every other one. */
const RANGE_WEIGHT = 32;

/** What writing it costs at most. */
export function weightOf(change: RouteChange): number {
  if (isRange(keyOf(change))) return RANGE_WEIGHT;
  return change.kind === 'remove' ? 1 : 1 + Math.ceil(change.route.outgoing.length / INTERFACES_PER_UNIT);
}

export function keyOf(change: RouteChange): RouteKey {
  return change.kind === 'set' ? change.route : change.key;
}

export class RouteQueue {
  /** None is empty. */
  readonly #groups = new Line<Ipv4, GroupChanges>();
  /** By nameOf(). */
  readonly #ranges = new Line<string, RouteChange>();
  /** Of #groups. */
  #length = 0;

  get length(): number {
    return this.#length + this.#ranges.length;
  }

  has(key: RouteKey): boolean {
    if (isRange(key)) return this.#ranges.get(nameOf(key)) !== undefined;
    return this.#groups.get(key.group)?.has(key.source) ?? false;
  }

  /** Of all that waits for this group. */
  weightOfGroup(group: Ipv4): number {
    return this.#groups.get(group)?.weight ?? 0;
  }

  add(change: RouteChange): void {
    const key = keyOf(change);
    if (isRange(key)) return this.#ranges.put(nameOf(key), change);
    const { group } = key;
    const changes = this.#groups.get(group) ?? new GroupChanges();
    const before = changes.length;
    changes.put(change);
    this.#groups.put(group, changes);
    this.#length += changes.length - before;
  }

  /** All that wait for this group. */
  takeGroup(group: Ipv4): readonly RouteChange[] {
    const taken: RouteChange[] = [];
    this.#take(group, Infinity, taken);
    return taken;
  }

  /** The next ones to write: at least one, and about as many as weigh so much. */
  takeSlice(weight: number): readonly RouteChange[] {
    const slice: RouteChange[] = [];
    let left = weight;
    while (left > 0) {
      const group = this.#groups.oldest();
      if (group === undefined) break;
      left = this.#take(group, left, slice);
    }
    for (let range = takeFrom(this.#ranges, left); range !== undefined; range = takeFrom(this.#ranges, left)) {
      left -= weightOf(range);
      slice.push(range);
    }
    return slice;
  }

  clear(): void {
    while (this.length > 0) this.takeSlice(Infinity);
  }

  /** Returns what is left of the weight. */
  #take(group: Ipv4, weight: number, taken: RouteChange[]): number {
    const changes = this.#groups.get(group);
    if (changes === undefined) return weight;
    let left = weight;
    while (left > 0 && changes.length > 0) {
      const change = changes.take();
      if (change === undefined) break;
      this.#length--;
      left -= weightOf(change);
      taken.push(change);
    }
    if (changes.length === 0) this.#groups.drop(group);
    return left;
  }
}

/** More than this and looking for one of them by walking over all is slower than a table. */
const FEW = 16;

/** Of one group, one for each source. Most groups have a few: tables of their own would be most of what a full queue needs. */
class GroupChanges {
  /** Oldest first; empty once there are many. */
  #few: RouteChange[] = [];
  #many: ManyChanges | undefined;

  get length(): number {
    return this.#many?.length ?? this.#few.length;
  }

  get weight(): number {
    return this.#many?.weight ?? this.#few.reduce((sum, change) => sum + weightOf(change), 0);
  }

  has(source: Ipv4): boolean {
    return this.#many?.has(source) ?? this.#few.some((change) => keyOf(change).source === source);
  }

  put(change: RouteChange): void {
    if (this.#many !== undefined) return this.#many.put(change);
    const { source } = keyOf(change);
    const known = this.#few.findIndex((one) => keyOf(one).source === source);
    if (known >= 0) this.#few.splice(known, 1);
    this.#few.push(change);
    if (this.#few.length <= FEW) return;
    this.#many = new ManyChanges();
    for (const one of this.#few) this.#many.put(one);
    this.#few = [];
  }

  take(): RouteChange | undefined {
    if (this.#many !== undefined) return this.#many.take();
    let first = 0;
    for (let i = 1; i < this.#few.length; i++) if (turnOf(this.#few[i]) < turnOf(this.#few[first])) first = i;
    return this.#few.splice(first, 1)[0];
  }
}

/** (*,G) goes before its sources do, and comes and changes after them. */
function turnOf(change: RouteChange | undefined): number {
  if (change === undefined) return Infinity;
  const isStar = keyOf(change).source === 0;
  if (change.kind === 'remove') return isStar ? 0 : 3;
  return isStar ? 2 : 1;
}

/** The same for a group with many sources, found by source, in the order of turnOf(). */
class ManyChanges {
  #star: RouteChange | undefined;
  readonly #set = new Line<Ipv4, RouteChange>();
  readonly #removed = new Line<Ipv4, RouteChange>();
  #weight = 0;

  get length(): number {
    return this.#set.length + this.#removed.length + (this.#star === undefined ? 0 : 1);
  }

  get weight(): number {
    return this.#weight;
  }

  has(source: Ipv4): boolean {
    return this.#waiting(source) !== undefined;
  }

  put(change: RouteChange): void {
    const { source } = keyOf(change);
    const before = this.#waiting(source);
    this.#weight += weightOf(change) - (before === undefined ? 0 : weightOf(before));
    if (source === 0) {
      this.#star = change;
      return;
    }
    const [line, other] = change.kind === 'set' ? [this.#set, this.#removed] : [this.#removed, this.#set];
    other.drop(source);
    line.put(source, change);
  }

  take(): RouteChange | undefined {
    const change = this.#star?.kind === 'remove' ? this.#takeStar() : (takeFrom(this.#set) ?? this.#takeStar() ?? takeFrom(this.#removed));
    if (change !== undefined) this.#weight -= weightOf(change);
    return change;
  }

  #waiting(source: Ipv4): RouteChange | undefined {
    return source === 0 ? this.#star : (this.#set.get(source) ?? this.#removed.get(source));
  }

  #takeStar(): RouteChange | undefined {
    const star = this.#star;
    this.#star = undefined;
    return star;
  }
}

/** The oldest, unless there is no weight left for it. */
function takeFrom<Key>(line: Line<Key, RouteChange>, weight = Infinity): RouteChange | undefined {
  const oldest = weight > 0 ? line.oldest() : undefined;
  if (oldest === undefined) return undefined;
  const change = line.get(oldest);
  line.drop(oldest);
  return change;
}

/** A map that knows its oldest key without walking over all that have been dropped before it. */
class Line<Key, Value> {
  readonly #values = new Map<Key, Value>();
  #walk = this.#values.keys();
  #oldest: Key | undefined;

  get length(): number {
    return this.#values.size;
  }

  get(key: Key): Value | undefined {
    return this.#values.get(key);
  }

  put(key: Key, value: Value): void {
    this.#values.set(key, value);
  }

  drop(key: Key): void {
    this.#values.delete(key);
    if (this.#oldest === key) this.#oldest = undefined;
  }

  oldest(): Key | undefined {
    if (this.#oldest !== undefined) return this.#oldest;
    let next = this.#walk.next();
    if (next.done === true) {
      // A walk that has ended sees nothing that comes later.
      this.#walk = this.#values.keys();
      next = this.#walk.next();
    }
    this.#oldest = next.done === true ? undefined : next.value;
    return this.#oldest;
  }
}
