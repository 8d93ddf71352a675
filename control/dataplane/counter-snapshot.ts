/**
 * The counters of one read as the data plane holds them: words by counter slot, put together for a route only when somebody asks. Which
 * slot a route has is looked up then; a route that came after the read is told apart by its serial number. What a route took over from
 * (*,G) is added as known when asked: so a rate between two snapshots does not jump where packets were moved.
 */
import { nameOf, type RouteKey, type VportId } from '../mrib/route';
import type { Abi } from './abi';
import { ROUTE_COUNTER_FIELDS } from './api';
import type { CounterColumns, CounterSnapshot, LocalCounterSnapshot, RouteCounters, VportCounters } from './api';
import type { Handover } from './handover';
import type { RouteEntry, RouteTable } from './routes';

/** Keys in one piece of activeSince(). */
const PIECE = 1024;
/** Routes in one piece of changedSince(): each is copied. */
const COLUMN_PIECE = 512;
/** After so many slots there is a piece, even an empty one: whoever walks may let others have their turn. */
const SCANNED_AT_ONCE = 8192;
const HALVES_OF_A_WORD = 2;

export interface SnapshotParts {
  readonly abi: Abi;
  readonly routes: Pick<RouteTable, 'entry' | 'entryOfCounter' | 'entries'>;
  readonly handover: Pick<Handover, 'corrected' | 'hasMoved'>;
  /** RouteTable.serial when the read began. */
  readonly serial: number;
  /** By counter slot and by vport, summed over the CPUs. */
  readonly routeWords: BigUint64Array;
  readonly faultWords: BigUint64Array;
  readonly vportWords: BigUint64Array;
}

export class BpfCounterSnapshot implements LocalCounterSnapshot {
  readonly #parts: SnapshotParts;

  constructor(parts: SnapshotParts) {
    this.#parts = parts;
  }

  route(name: string): RouteCounters | undefined {
    const { abi, routes, handover, serial, routeWords, faultWords } = this.#parts;
    const entry = routes.entry(name);
    if (entry === undefined || entry.serial > serial) return undefined;
    return handover.corrected(entry, abi.readRouteCounters(routeWords, faultWords, entry.counter));
  }

  vport(vport: VportId): VportCounters | undefined {
    const { abi, vportWords } = this.#parts;
    if (!Number.isInteger(vport) || vport < 1 || vport >= vportWords.length / abi.vportCounterWords) return undefined;
    return abi.readVportCounters(vportWords, vport);
  }

  *routeNames(): Iterable<string> {
    for (const [name, { serial }] of this.#parts.routes.entries()) if (serial <= this.#parts.serial) yield name;
  }

  activeSince(earlier: CounterSnapshot): Iterable<readonly RouteKey[]> {
    const { first, stride } = this.#parts.abi.packetsWord;
    const now = halvesOf(this.#parts.routeWords);
    const before = earlier instanceof BpfCounterSnapshot ? halvesOf(earlier.#parts.routeWords) : new Uint32Array(0);
    return this.#keysWhere((slot) => differs(now, before, HALVES_OF_A_WORD * (slot * stride + first)));
  }

  /** Also a route that has come since. What is moved between (*,G) and (S,G) without a packet of theirs shows with their next one. */
  *changedSince(earlier: LocalCounterSnapshot | undefined): Iterable<CounterColumns> {
    const reader = new ColumnReader(this.#parts);
    for (const entries of this.#entriesWhere(this.#hasChangedSince(earlier), COLUMN_PIECE)) yield reader.read(entries, (name) => this.route(name));
  }

  #hasChangedSince(earlier: LocalCounterSnapshot | undefined): (slot: number) => boolean {
    if (!(earlier instanceof BpfCounterSnapshot)) return () => true;
    const { abi, routes, routeWords, faultWords } = this.#parts;
    const known = earlier.#parts;
    const pairs = [
      { now: halvesOf(routeWords), before: halvesOf(known.routeWords), perSlot: HALVES_OF_A_WORD * abi.packetsWord.stride },
      { now: halvesOf(faultWords), before: halvesOf(known.faultWords), perSlot: HALVES_OF_A_WORD * abi.routeFaultWords },
    ];
    return (slot) => {
      if ((routes.entryOfCounter(slot)?.serial ?? 0) > known.serial) return true;
      return pairs.some(({ now, before, perSlot }) => differsWithin(now, before, slot * perSlot, perSlot));
    };
  }

  *#keysWhere(isMeant: (slot: number) => boolean): Iterable<readonly RouteKey[]> {
    for (const entries of this.#entriesWhere(isMeant, PIECE)) yield entries.map(({ route }) => route);
  }

  *#entriesWhere(isMeant: (slot: number) => boolean, pieceLength: number): Iterable<readonly RouteEntry[]> {
    const { abi, routes, routeWords, serial } = this.#parts;
    const slots = routeWords.length / abi.packetsWord.stride;
    let entries: RouteEntry[] = [];
    for (let slot = 0; slot < slots; slot++) {
      const entry = isMeant(slot) ? routes.entryOfCounter(slot) : undefined;
      if (entry !== undefined && entry.serial <= serial) entries.push(entry);
      const isLongWalk = (slot + 1) % SCANNED_AT_ONCE === 0;
      if (entries.length < pieceLength && !isLongWalk) continue;
      yield entries;
      entries = [];
    }
    if (entries.length > 0) yield entries;
  }
}

/** Copies words of many routes into columns: as pairs of numbers, since a hundred thousand routes would be a million bigints. */
class ColumnReader {
  readonly #parts: SnapshotParts;
  /** By position in ROUTE_COUNTER_FIELDS. */
  readonly #places: readonly { readonly halves: Uint32Array; readonly first: number; readonly stride: number }[];

  constructor(parts: SnapshotParts) {
    const { abi, routeWords, faultWords } = parts;
    this.#parts = parts;
    this.#places = abi.routeCounterPlaces.map(({ isFault, word }) => ({
      halves: halvesOf(isFault ? faultWords : routeWords),
      first: HALVES_OF_A_WORD * word,
      stride: HALVES_OF_A_WORD * (isFault ? abi.routeFaultWords : abi.packetsWord.stride),
    }));
  }

  read(entries: readonly RouteEntry[], counted: (name: string) => RouteCounters | undefined): CounterColumns {
    const columns = this.#places.map(() => new BigUint64Array(entries.length));
    for (const [position, { halves, first, stride }] of this.#places.entries()) {
      const column = halvesOf(columns[position] ?? new BigUint64Array(0));
      for (const [i, { counter }] of entries.entries()) {
        const at = first + stride * counter;
        column[HALVES_OF_A_WORD * i] = halves[at] ?? 0;
        column[HALVES_OF_A_WORD * i + 1] = halves[at + 1] ?? 0;
      }
    }
    for (const [i, entry] of entries.entries()) if (this.#parts.handover.hasMoved(entry.counter)) correct(columns, i, counted(nameOf(entry.route)));
    return { keys: entries.map(({ route }) => route), columns };
  }
}

function correct(columns: readonly BigUint64Array[], i: number, counters: RouteCounters | undefined): void {
  if (counters === undefined) return;
  for (const [position, field] of ROUTE_COUNTER_FIELDS.entries()) {
    const column = columns[position];
    if (column !== undefined) column[i] = counters[field];
  }
}

/** Words as two numbers: comparing them makes no bigints. */
function halvesOf({ buffer, byteOffset, length }: BigUint64Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, HALVES_OF_A_WORD * length);
}

function differsWithin(now: Uint32Array, before: Uint32Array, start: number, length: number): boolean {
  for (let at = start; at < start + length; at++) if (now[at] !== (before[at] ?? 0)) return true;
  return false;
}

/** A word the earlier read did not reach was zero. */
function differs(now: Uint32Array, before: Uint32Array, at: number): boolean {
  if (at >= before.length) return now[at] !== 0 || now[at + 1] !== 0;
  return now[at] !== before[at] || now[at + 1] !== before[at + 1];
}
