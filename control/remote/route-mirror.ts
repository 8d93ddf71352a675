/**
 * The routes of a data plane in another process, as far as they are known: what is wanted there, and what is confirmed to be there. Pure
 * bookkeeping.
 */
import type { InstalledRoute, RouteProblem } from '../dataplane/api';
import { nameOf, type RouteChange, type WantedRoute } from '../mrib/route';
import { keyOf, type Refusal } from './route-batch';
import { isSameRoute } from './wire-route';

interface Entry {
  /** undefined: its removal is under way, or was when the connection was lost. */
  wanted: WantedRoute | undefined;
  /** undefined: not answered yet. */
  confirmed: InstalledRoute | undefined;
  /** The batch that wrote it last, while that is not answered; else 0. */
  batch: number;
}

export interface Answer {
  /** Without those that a later change has overtaken. */
  readonly changes: readonly RouteChange[];
  readonly refused: readonly RouteProblem[];
}

export class RouteMirror {
  /** By nameOf(). */
  readonly #entries = new Map<string, Entry>();
  /** Changes of each batch under way, by its number. */
  readonly #batches = new Map<number, readonly RouteChange[]>();
  #underWay = 0;

  /** Changes that are not answered yet. */
  get underWay(): number {
    return this.#underWay;
  }

  get size(): number {
    return this.#entries.size;
  }

  installedAtMs(name: string): number | undefined {
    return this.#entries.get(name)?.confirmed?.installedAtMs;
  }

  /** Changes in a batch under way; 0: it is none. */
  sizeOf(batch: number): number {
    return this.#batches.get(batch)?.length ?? 0;
  }

  sent(batch: number, changes: readonly RouteChange[]): void {
    this.#underWay += changes.length;
    this.#batches.set(batch, changes);
    for (const change of changes) {
      const name = nameOf(keyOf(change));
      const entry = this.#entries.get(name);
      const wanted = change.kind === 'set' ? change.route : undefined;
      if (entry === undefined) this.#entries.set(name, { wanted, confirmed: undefined, batch });
      else Object.assign(entry, { wanted, batch });
    }
  }

  answered(batch: number, refusals: readonly Refusal[], nowMs: number): Answer {
    const sent = this.#batches.get(batch) ?? [];
    this.#batches.delete(batch);
    this.#underWay -= sent.length;
    const problems = new Map(refusals.map(({ index, problem }) => [index, problem]));
    const refused: RouteProblem[] = [];
    const changes = sent.filter((change, i) => {
      const problem = problems.get(i);
      const isNewest = this.#answeredOne(batch, change, problem === undefined ? nowMs : undefined);
      if (isNewest && problem !== undefined) refused.push({ ...keyOf(change), problem });
      return isNewest;
    });
    return { changes, refused };
  }

  /** Of what was under way nothing is known any more. Returns whether there was any. */
  disconnected(): boolean {
    const wasUnderWay = this.#underWay > 0;
    this.#batches.clear();
    this.#underWay = 0;
    for (const entry of this.#entries.values()) entry.batch = 0;
    return wasUnderWay;
  }

  /** What is installed, as read, was left by an earlier controller: it is wanted until somebody here decides otherwise. */
  adopt(installed: ReadonlyMap<string, InstalledRoute>): void {
    for (const [name, found] of installed) this.#entries.set(name, { wanted: found.route, confirmed: found, batch: 0 });
  }

  /** What is installed, as read: returns what has to change so that it is what is wanted. */
  compare(installed: ReadonlyMap<string, InstalledRoute>): readonly RouteChange[] {
    const changes: RouteChange[] = [];
    for (const [name, { route }] of installed) if (!this.#entries.has(name)) changes.push({ kind: 'remove', key: route });
    for (const [name, entry] of this.#entries) {
      entry.confirmed = installed.get(name);
      const change = changeOf(entry);
      if (change !== undefined) changes.push(change);
      else if (entry.wanted === undefined) this.#entries.delete(name);
    }
    return changes;
  }

  /** All that is there, or may be. */
  removals(): readonly RouteChange[] {
    return [...this.#entries.values()].flatMap(({ wanted, confirmed }): RouteChange[] => {
      const route = confirmed?.route ?? wanted;
      return route === undefined ? [] : [{ kind: 'remove', key: route }];
    });
  }

  /** `nowMs`: undefined when it was refused. Returns false when a later change has overtaken it. */
  #answeredOne(batch: number, change: RouteChange, nowMs: number | undefined): boolean {
    const name = nameOf(keyOf(change));
    const entry = this.#entries.get(name);
    if (entry === undefined) return false;
    if (nowMs !== undefined) {
      const installedAtMs = entry.confirmed?.installedAtMs ?? nowMs;
      entry.confirmed = change.kind === 'set' ? { route: change.route, installedAtMs } : undefined;
    }
    if (entry.batch !== batch) return false;
    entry.batch = 0;
    if (nowMs === undefined) entry.wanted = entry.confirmed?.route;
    if (entry.wanted === undefined && entry.confirmed === undefined) this.#entries.delete(name);
    return true;
  }
}

/** What makes it as it should be. */
function changeOf({ wanted, confirmed }: Entry): RouteChange | undefined {
  if (wanted === undefined) return confirmed === undefined ? undefined : { kind: 'remove', key: confirmed.route };
  return confirmed !== undefined && isSameRoute(wanted, confirmed.route) ? undefined : { kind: 'set', route: wanted };
}
