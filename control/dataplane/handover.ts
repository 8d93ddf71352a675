/**
 * What (*,G) forwarded of a source before its (S,G) route was there belongs to the (S,G): the programs count it apart by source, and
 * here it is moved over. So a flow shows its first packets, and (*,G) only what could not be told apart.
 *
 * Every packet shows in one of the two, never in both: what an (S,G) takes its (*,G) gives, unless that one has gone meanwhile, and its
 * counters with it. An (S,G) that goes before everything was moved leaves the rest with (*,G).
 */
import type { BpfMap } from '#bindings';
import { isRange } from '../mrib/route';
import type { Ipv4 } from '../protocol/packet/address';
import type { Abi } from './abi';
import type { CopyCounters, RouteCounters } from './api';
import type { RouteEntry } from './routes';

/** By then every packet that met the old route has left. */
const SETTLED_AFTER_MS = 1000;
/** Each costs a system call or two on the event loop. The others wait for their turn. */
const READ_AT_ONCE = 1024;
/** Words of a route in what was moved: as those of its counters, of which FIELDS are the first. */
export const ROW = 8;
const FIELDS = ['packets', 'bytes', 'expected', 'copies', 'copyBytes', 'failed', 'dropped'] as const satisfies readonly (keyof CopyCounters)[];
const NOTHING: CopyCounters = { packets: 0n, bytes: 0n, expected: 0n, copies: 0n, copyBytes: 0n, failed: 0n, dropped: 0n };

interface Star {
  readonly counter: number;
  /** Counters of the (S,G) that may still take something from it. undefined: there was none yet, as with most. */
  takers: Set<number> | undefined;
  installed: boolean;
}

/** An (S,G) whose packets may still be on their way by (*,G). */
interface Unsettled {
  readonly star: Star;
  /** Of what the programs counted of this source. */
  readonly key: Uint8Array;
  readonly installedAtMs: number;
  /** Of it, moved already. */
  moved: CopyCounters;
}

export class Handover {
  readonly #abi: Abi;
  readonly #recent: BpfMap;
  readonly #stars = new Map<Ipv4, Star>();
  /** By counter slot, oldest first. */
  readonly #unsettled = new Map<number, Unsettled>();
  /** By counter slot, ROW words each: what an (S,G) has taken, what a (*,G) has given. */
  readonly #moved: BigUint64Array;

  /** `moved` outlives the controller. */
  constructor(abi: Abi, recent: BpfMap, moved: BigUint64Array) {
    this.#abi = abi;
    this.#recent = recent;
    this.#moved = moved;
  }

  installed({ route, counter, installedAtMs }: RouteEntry): void {
    if (isRange(route)) return;
    const { source, group, incoming } = route;
    if (source === 0) {
      this.#stars.set(group, { counter, takers: undefined, installed: true });
      return;
    }
    const star = this.#stars.get(group);
    if (star === undefined || incoming === undefined) return;
    (star.takers ??= new Set()).add(counter);
    this.#unsettled.set(counter, { star, key: this.#abi.newSourceKey(source, group, incoming), installedAtMs, moved: NOTHING });
  }

  /** As installed(), of a route that was there before this controller: what its predecessor has moved is not moved again. (*,G) first. */
  adopted(entry: RouteEntry): void {
    this.installed(entry);
    const unsettled = this.#unsettled.get(entry.counter);
    if (unsettled === undefined) return;
    if (this.#recent.lookup(unsettled.key) === undefined) return this.#finish(entry.counter, unsettled);
    const moved: { -readonly [Field in keyof CopyCounters]: bigint } = { ...NOTHING };
    for (const [i, field] of FIELDS.entries()) moved[field] = this.#moved[entry.counter * ROW + i] ?? 0n;
    unsettled.moved = moved;
  }

  removed({ route, counter }: RouteEntry): void {
    const star = this.#stars.get(route.group);
    if (star?.counter === counter) this.#starRemoved(route.group, star);
    const unsettled = this.#unsettled.get(counter);
    // The kernel's entry goes too: else a later route of this source would take once more what has been moved.
    if (unsettled !== undefined) this.#finish(counter, unsettled);
    const first = counter * ROW;
    this.#moved.fill(0n, first, first + ROW);
  }

  /** Moves what has come in by now. */
  settle(nowMs: number): void {
    let left = READ_AT_ONCE;
    for (const [counter, unsettled] of this.#unsettled) {
      if (left-- === 0) return;
      this.#moveNews(counter, unsettled);
      if (nowMs - unsettled.installedAtMs >= SETTLED_AFTER_MS) this.#finish(counter, unsettled);
    }
  }

  /** Whether corrected() corrects anything. */
  hasMoved(counter: number): boolean {
    return (this.#moved[counter * ROW] ?? 0n) !== 0n;
  }

  /** What a route has counted, with what it took or without what it gave. */
  corrected({ route, counter }: RouteEntry, counted: RouteCounters): RouteCounters {
    const first = counter * ROW;
    if (!this.hasMoved(counter)) return counted;
    const result = { ...counted };
    for (const [i, field] of FIELDS.entries()) {
      const moved = this.#moved[first + i] ?? 0n;
      const corrected = counted[field] + (route.source === 0 ? -moved : moved);
      // What was counted may have been read a moment before what was moved.
      result[field] = corrected < 0n ? 0n : corrected;
    }
    return result;
  }

  /** What it counted until now is shared out; what is still on its way shows only with those that take it. */
  #starRemoved(group: Ipv4, star: Star): void {
    for (const counter of star.takers ?? []) {
      const unsettled = this.#unsettled.get(counter);
      if (unsettled !== undefined) this.#moveNews(counter, unsettled);
    }
    star.installed = false;
    this.#stars.delete(group);
  }

  #finish(counter: number, { key, star }: Unsettled): void {
    this.#recent.delete(key);
    this.#unsettled.delete(counter);
    star.takers?.delete(counter);
  }

  #moveNews(counter: number, unsettled: Unsettled): void {
    const found = this.#recent.lookup(unsettled.key);
    if (found === undefined) return;
    const now = this.#abi.readRecent(found);
    // Less than before: the entry made room for others and was made anew.
    const before = now.packets < unsettled.moved.packets ? NOTHING : unsettled.moved;
    unsettled.moved = now;
    this.#add(counter, now, before);
    if (unsettled.star.installed) this.#add(unsettled.star.counter, now, before);
  }

  #add(counter: number, now: CopyCounters, before: CopyCounters): void {
    const first = counter * ROW;
    // Words wrap as those of the kernel do: a difference may be negative, the sum is not.
    for (const [i, field] of FIELDS.entries()) this.#moved[first + i] = (this.#moved[first + i] ?? 0n) + now[field] - before[field];
  }
}
