/**
 * The beginning over routes that a controller before this one has left installed: they are turned back into wishes and streams, and until
 * all of these are known nothing is written, since half of them would be less than what is installed. What nothing asks for then is held
 * for a while, and swept.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Dataplane, TakenOver } from '../dataplane/api';
import type { Log } from '../log';
import type { Mrib } from '../mrib/mrib';
import type { ReversePath } from '../mrib/reverse-path';
import type { RouteChange, VportId, WantedRoute } from '../mrib/route';
import type { Ipv4 } from '../protocol/packet/address';
import type { Port } from './port';
import { latestOf, restorationOf, type Restoration } from './restoration';
import { StaleRoutes } from './stale-routes';

/** After so many others have their turn. */
const MANY_AT_ONCE = 256;

export interface TakeoverOptions {
  readonly dataplane: Dataplane;
  readonly mrib: Mrib;
  readonly path: ReversePath;
  readonly ports: () => readonly Port[];
  readonly portOf: (vport: VportId) => Port | undefined;
  readonly collect: (changes: readonly RouteChange[]) => void;
  readonly nowMs: () => number;
  readonly log: Log;
}

/** What was installed before and nobody has asked for since. */
export interface Unclaimed {
  readonly routes: number;
  readonly memberships: number;
  /** By the monotonic clock; undefined: nothing is held. */
  readonly holdEndsMs: number | undefined;
}

export class Takeover {
  readonly #options: TakeoverOptions;
  #isUnderWay: boolean;
  #stale = new StaleRoutes([]);
  #holdEndsMs: number | undefined;
  #tellOver: () => void = () => undefined;
  /** Resolves when it is not under way any more. */
  readonly over: Promise<void>;

  constructor(options: TakeoverOptions) {
    this.#options = options;
    this.#isUnderWay = options.dataplane.takenOver !== undefined;
    this.over = this.#isUnderWay ? new Promise((resolve) => (this.#tellOver = resolve)) : Promise.resolve();
  }

  /** Nothing is to be written yet. */
  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /** When what nobody has claimed by then goes. undefined: nothing was taken over, or it is over. */
  get holdEndsMs(): number | undefined {
    return this.#holdEndsMs;
  }

  get unclaimed(): Unclaimed {
    const memberships = this.#options.ports().reduce((sum, port) => sum + (port.igmp?.unclaimedCount ?? 0), 0);
    return { routes: this.#stale.size, memberships, holdEndsMs: this.#holdEndsMs };
  }

  /** When all ports are attached. Resolves with what goes at once. */
  async restore(holdMs: number): Promise<readonly RouteChange[]> {
    const { dataplane, log, nowMs } = this.#options;
    const { takenOver } = dataplane;
    if (takenOver === undefined) return [];
    const holdEndsMs = nowMs() + holdMs;
    if (holdMs > 0) await this.#enter(this.#restorationOf(takenOver), holdEndsMs);
    this.#stale = new StaleRoutes(await this.#unwanted(takenOver.routes));
    const removed = holdMs === 0 ? this.#stale.takeAll() : [];
    if (holdMs > 0) this.#holdEndsMs = holdEndsMs;
    await this.#letPortsGo(takenOver);
    const found = { ports: takenOver.ports.length, routes: takenOver.routes.length, stale: this.#stale.size };
    log.info(found, `took over ${found.routes} routes, ${found.ports} ports; what nobody claims goes in ${holdMs / 1000} s`);
    return removed;
  }

  /** Everything is known. Returns what there is to write of all that came together meanwhile. */
  end(changes: RouteChange[]): RouteChange[] {
    if (!this.#isUnderWay) return changes;
    this.#isUnderWay = false;
    this.#tellOver();
    return [...latestOf(changes)];
  }

  /** Who waits for the end waits no longer. */
  close(): void {
    this.#tellOver();
  }

  /** Somebody decides about these routes. */
  changed(changes: readonly RouteChange[]): void {
    this.#stale.changed(changes);
  }

  /** What was held of a group goes when something new is known of it. */
  membershipChanged(group: Ipv4): readonly RouteChange[] {
    return this.#stale.takeGroup(group);
  }

  /** What nobody has claimed in time. */
  sweep(nowMs: number): readonly RouteChange[] {
    if (this.#holdEndsMs === undefined || nowMs < this.#holdEndsMs) return [];
    this.#holdEndsMs = undefined;
    const changes = this.#stale.takeAll();
    if (changes.length > 0) this.#options.log.info({ routes: changes.length }, `the hold time is over: ${changes.length} routes that nobody has claimed go`);
    return changes;
  }

  #restorationOf({ routes }: TakenOver): Restoration {
    const { mrib, path, portOf } = this.#options;
    return restorationOf(routes, {
      isDownstream: (vport) => portOf(vport)?.settings.upstream === undefined,
      isStatic: (route) => mrib.isStatic(route),
      hasSeveralWays: (source, group) => path.incomingFor(source, group).length > 1,
    });
  }

  async #enter({ memberships, streams }: Restoration, untilMs: number): Promise<void> {
    const { mrib, portOf, collect, nowMs } = this.#options;
    let done = 0;
    for (const { vport, ...membership } of memberships) {
      portOf(vport)?.input({ kind: 'restored', ...membership, untilMs });
      if (++done % MANY_AT_ONCE === 0) await nextTurn();
    }
    for (const { source, group, incoming } of streams) {
      collect(mrib.sourceSeen(source, group, incoming, nowMs()));
      if (++done % MANY_AT_ONCE === 0) await nextTurn();
    }
  }

  async #unwanted(routes: readonly WantedRoute[]): Promise<readonly WantedRoute[]> {
    const { mrib } = this.#options;
    const found: WantedRoute[] = [];
    for (let from = 0; from < routes.length; from += MANY_AT_ONCE) {
      found.push(...routes.slice(from, from + MANY_AT_ONCE).filter((route) => !mrib.isWanted(route)));
      await nextTurn();
    }
    return found;
  }

  /** Interfaces that are no ports any more, or not there. */
  async #letPortsGo({ ports }: TakenOver): Promise<void> {
    const { dataplane, portOf } = this.#options;
    const gone = ports.filter(({ vport }) => portOf(vport)?.link === undefined);
    await Promise.all(gone.map(({ vport }) => dataplane.removePort(vport)));
  }
}
