/**
 * Hands changes of the wanted routes to the data plane, remembers which it refused and tries those again. Refusals are told once each.
 *
 * A few changes are written at once. Many wait in a queue that is written piece by piece with other things in between; a few that come
 * meanwhile do not wait for them, except for what waits of their own groups, which is written first. A long list has to be taken into the
 * queue first, also piece by piece; as long as that takes everything lines up behind it, so that the later change of a route wins.
 */
import type { Dataplane, RouteProblem } from '../dataplane/api';
import type { EventSink } from '../events';
import { isRange, nameOf } from '../mrib/route';
import type { RouteChange, RouteKey } from '../mrib/route';
import { formatIpv4 } from '../protocol/packet/address';
import { keyOf, RouteQueue, weightOf } from './route-queue';

/** Written in one go: some 256 routes that share their sets of interfaces, or three with new sets of 256. */
const SLICE_WEIGHT = 256;
/** Slices are written one after the other for about so long before others have their turn. */
const TURN_MS = 1;
/** Refused routes that are tried again in one go; the others have their turn next time. */
const RETRIED_AT_ONCE = 1024;

export interface RouteSyncOptions {
  readonly dataplane: Dataplane;
  readonly events: EventSink;
  readonly nowMs: () => number;
  /** Changes that had to wait have been written. */
  readonly onWritten: () => void;
  /** These have reached the data plane, or were refused by it. */
  readonly onApplied?: (changes: readonly RouteChange[]) => void;
}

/** Not in the queue yet. */
interface LongList {
  readonly changes: readonly RouteChange[];
  /** So many, from the first, are in the queue. */
  taken: number;
}

interface Refused {
  readonly change: RouteChange;
  readonly problem: string;
}

export class RouteSync {
  readonly #options: RouteSyncOptions;
  /** By routeName(), those not tried again for longest first. */
  readonly #refusals = new Map<string, Refused>();
  readonly #lists: LongList[] = [];
  readonly #queue = new RouteQueue();
  #turn: NodeJS.Immediate | undefined;
  /** They want to hear when something that waited is written. */
  #listeners: (() => void)[] = [];
  #refused = 0n;
  #closed = false;

  constructor(options: RouteSyncOptions) {
    this.#options = options;
  }

  /** Since the start. */
  get refused(): bigint {
    return this.#refused;
  }

  get problemCount(): number {
    return this.#refusals.size;
  }

  /** Changes that are not written yet. */
  get waiting(): number {
    return this.#lists.reduce((sum, { changes, taken }) => sum + changes.length - taken, this.#queue.length);
  }

  /** The route, or its end, is not written yet. */
  isWaiting(key: RouteKey): boolean {
    // A long list is not looked through.
    return this.#lists.length > 0 || this.#queue.has(key);
  }

  /** Resolves when some of what waits is written, or nothing will be any more. */
  written(): Promise<void> {
    return this.#closed || this.#idle ? Promise.resolve() : new Promise((resolve) => this.#listeners.push(resolve));
  }

  /** Why the route is not installed as wanted; empty when it is, or when it is not known yet that it waits. */
  problemOf(key: RouteKey): string {
    if (this.#queue.has(key)) return 'not written yet: many changes were before it';
    return this.#refusals.get(nameOf(key))?.problem ?? '';
  }

  apply(changes: readonly RouteChange[], nowMs: number): void {
    if (changes.length === 0 || this.#closed) return;
    if (this.#lists.length > 0 || changes.length > SLICE_WEIGHT) {
      this.#lists.push({ changes, taken: 0 });
      this.#planTurn();
      return;
    }
    this.#submit(changes, nowMs);
  }

  /** Room may have been made for routes that were refused. */
  retry(nowMs: number): void {
    // What is still to come may be newer.
    if (this.#lists.length > 0) return;
    const again: Refused[] = [];
    for (const refused of this.#refusals.values()) {
      if (again.length === RETRIED_AT_ONCE) break;
      again.push(refused);
    }
    for (const refused of again) this.#moveToEnd(refused);
    // What waits is newer.
    const changes = again.map(({ change }) => change).filter((change) => !this.#queue.has(keyOf(change)));
    if (changes.length > 0) this.#submit(changes, nowMs);
  }

  /** The data plane takes routes again. */
  ready(): void {
    if (!this.#closed) this.#planTurn();
  }

  /** What came of changes that the data plane could not tell of at once. */
  applied(changes: readonly RouteChange[], refused: readonly RouteProblem[]): void {
    if (refused.length > 0 || this.#refusals.size > 0) {
      const problems = new Map(refused.map((found) => [nameOf(found), found.problem]));
      for (const change of changes) this.#note(change, problems.get(nameOf(keyOf(change))));
    }
    this.#options.onApplied?.(changes);
  }

  /** What waits is not written any more. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#lists.length = 0;
    this.#queue.clear();
    if (this.#turn !== undefined) clearImmediate(this.#turn);
    this.#turn = undefined;
    this.#tellWritten();
  }

  #submit(changes: readonly RouteChange[], nowMs: number): void {
    const groups = this.#queue.length === 0 ? [] : [...new Set(changes.map((change) => keyOf(change).group))];
    const waiting = groups.reduce((sum, group) => sum + this.#queue.weightOfGroup(group), 0);
    const isPossible = !this.#options.dataplane.isBusy;
    // A range that waits is not found by its group: another change of it lines up.
    const isSmall = isPossible && weigh(changes) + waiting <= SLICE_WEIGHT && !changes.some((change) => isRange(keyOf(change)) && this.#queue.has(keyOf(change)));
    if (isSmall && waiting === 0) return this.#write(changes, nowMs);
    for (const change of changes) this.#queue.add(change);
    if (isSmall) this.#write(groups.flatMap((group) => this.#queue.takeGroup(group)), nowMs);
    this.#planTurn();
  }

  /** There is nothing that could be done now. */
  get #idle(): boolean {
    return this.#lists.length === 0 && (this.#queue.length === 0 || this.#options.dataplane.isBusy);
  }

  #planTurn(): void {
    if (!this.#idle) this.#turn ??= setImmediate(() => this.#takeTurn());
  }

  #takeTurn(): void {
    this.#turn = undefined;
    const { nowMs, onWritten } = this.#options;
    const untilMs = nowMs() + TURN_MS;
    do this.#takeStep(nowMs());
    while (!this.#idle && nowMs() < untilMs);
    this.#planTurn();
    onWritten();
    this.#tellWritten();
  }

  #tellWritten(): void {
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const tell of listeners) tell();
  }

  #takeStep(nowMs: number): void {
    const [list] = this.#lists;
    if (list === undefined) return this.#write(this.#queue.takeSlice(SLICE_WEIGHT), nowMs);
    const end = list.taken + SLICE_WEIGHT;
    for (const change of list.changes.slice(list.taken, end)) {
      this.#queue.add(change);
    }
    list.taken = end;
    if (end >= list.changes.length) this.#lists.shift();
  }

  #write(changes: readonly RouteChange[], nowMs: number): void {
    const refused = this.#options.dataplane.applyRoutes(changes, nowMs);
    if (refused !== undefined) this.applied(changes, refused);
  }

  #note(change: RouteChange, problem: string | undefined): void {
    const key = keyOf(change);
    const name = nameOf(key);
    if (problem === undefined) {
      if (!this.#refusals.delete(name) || change.kind === 'remove') return;
      const subject = routeText(key);
      return this.#options.events.report({ type: 'route-recovered', subject, text: `route ${subject} is installed`, fields: { route: subject } });
    }
    const known = this.#refusals.get(name);
    this.#refusals.set(name, { change, problem });
    if (known?.problem === problem) return;
    this.#refused++;
    const route = routeText(key);
    const text = `route ${route} refused: ${problem}`;
    this.#options.events.report({ type: 'route-refused', severity: 'warn', subject: route, text, fields: { route, problem } });
  }

  #moveToEnd(refused: Refused): void {
    const name = nameOf(keyOf(refused.change));
    this.#refusals.delete(name);
    this.#refusals.set(name, refused);
  }
}

function routeText(key: RouteKey): string {
  if (isRange(key)) return `(${nameOf(key).replace(' ', ', ')})`;
  return `(${key.source === 0 ? '*' : formatIpv4(key.source)}, ${formatIpv4(key.group)})`;
}

function weigh(changes: readonly RouteChange[]): number {
  return changes.reduce((sum, change) => sum + weightOf(change), 0);
}
