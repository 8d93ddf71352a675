/**
 * Writes one batch of route changes, in slices with other things in between when it is long, and puts everything back when all or nothing
 * was asked for and something is refused.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LocalDataplane } from '../dataplane/api';
import { nameOf, type RouteChange, type RouteKey, type WantedRoute } from '../mrib/route';
import { isSameRoute } from './wire-route';

/** As many routes are written before others have their turn. */
const SLICE = 256;

export interface Refusal {
  /** Position in the batch. */
  readonly index: number;
  readonly problem: string;
}

type Forwarder = Pick<LocalDataplane, 'applyRoutes' | 'installedRoute'>;

export interface RouteBatchOptions {
  readonly forwarder: Forwarder;
  readonly nowMs: () => number;
  /** What was there before could not be put back. */
  readonly onTrouble: (message: string) => void;
}

export class RouteBatch {
  readonly #options: RouteBatchOptions;
  /** By nameOf(): what was there before this batch; undefined: nothing. */
  readonly #before = new Map<string, { readonly key: RouteKey; readonly route: WantedRoute | undefined }>();

  constructor(options: RouteBatchOptions) {
    this.#options = options;
  }

  /** At once when there are few. */
  write(changes: readonly RouteChange[]): readonly Refusal[] | Promise<readonly Refusal[]> {
    return changes.length <= SLICE ? this.#writeSlice(changes, 0) : this.#writeSlices(changes);
  }

  async writeAllOrNothing(changes: readonly RouteChange[]): Promise<readonly Refusal[]> {
    for (let start = 0; start < changes.length; start += SLICE) {
      const slice = changes.slice(start, start + SLICE);
      for (const change of slice) this.#remember(keyOf(change));
      const refused = this.#writeSlice(slice, start);
      if (refused.length > 0) {
        await this.#putBack();
        return refused;
      }
      if (start + SLICE < changes.length) await nextTurn();
    }
    return [];
  }

  async #writeSlices(changes: readonly RouteChange[]): Promise<readonly Refusal[]> {
    const refused: Refusal[] = [];
    for (let start = 0; start < changes.length; start += SLICE) {
      for (const refusal of this.#writeSlice(changes.slice(start, start + SLICE), start)) refused.push(refusal);
      await nextTurn();
    }
    return refused;
  }

  #writeSlice(changes: readonly RouteChange[], start: number): readonly Refusal[] {
    const { forwarder, nowMs } = this.#options;
    const news = this.#newsOf(changes);
    if (news.length === 0) return [];
    const problems = new Map(forwarder.applyRoutes(news, nowMs()).map((found) => [nameOf(found), found.problem]));
    if (problems.size === 0) return [];
    return changes.flatMap((change, i) => {
      const problem = problems.get(nameOf(keyOf(change)));
      return problem === undefined ? [] : [{ index: start + i, problem }];
    });
  }

  /** A controller that writes its whole table again disturbs nothing. */
  #newsOf(changes: readonly RouteChange[]): readonly RouteChange[] {
    const touched = new Set<string>();
    return changes.filter((change) => {
      const name = nameOf(keyOf(change));
      const installed = touched.has(name) ? undefined : this.#options.forwarder.installedRoute(name);
      if (change.kind === 'set' && installed !== undefined && isSameRoute(installed.route, change.route)) return false;
      touched.add(name);
      return true;
    });
  }

  #remember(key: RouteKey): void {
    const name = nameOf(key);
    if (!this.#before.has(name)) this.#before.set(name, { key, route: this.#options.forwarder.installedRoute(name)?.route });
  }

  /** What was added goes first: it makes the room that the others had. */
  async #putBack(): Promise<void> {
    const all = [...this.#before.values()];
    const added = all.filter(({ route }) => route === undefined).map(({ key }): RouteChange => ({ kind: 'remove', key }));
    const others = all.flatMap(({ route }): RouteChange[] => (route === undefined ? [] : [{ kind: 'set', route }]));
    const back = [...added, ...others];
    for (let start = 0; start < back.length; start += SLICE) {
      for (const { problem } of this.#writeSlice(back.slice(start, start + SLICE), start)) {
        this.#options.onTrouble(`put back a route of a batch that was refused: ${problem}`);
      }
      await nextTurn();
    }
  }
}

export function keyOf(change: RouteChange): RouteKey {
  return change.kind === 'set' ? change.route : change.key;
}
