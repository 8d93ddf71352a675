/**
 * Hands changes of the wanted routes to the data plane, remembers which it refused and tries those again. Refusals are logged once each.
 */
import type { Dataplane } from '../dataplane/api';
import type { Mrib } from '../mrib/mrib';
import { routeName } from '../mrib/route';
import type { RouteChange, WantedRoute } from '../mrib/route';
import { formatIpv4 } from '../protocol/packet/address';
import type { Log } from '../log';

export class RouteSync {
  readonly #dataplane: Dataplane;
  readonly #log: Log;
  readonly #problems = new Map<string, string>();
  readonly #since = new Map<string, number>();
  #refused = 0n;

  constructor(dataplane: Dataplane, log: Log) {
    this.#dataplane = dataplane;
    this.#log = log;
  }

  /** Since the start. */
  get refused(): bigint {
    return this.#refused;
  }

  get problemCount(): number {
    return this.#problems.size;
  }

  problemOf(name: string): string {
    return this.#problems.get(name) ?? '';
  }

  /** When the route was first wanted. */
  sinceMs(name: string): number | undefined {
    return this.#since.get(name);
  }

  apply(changes: readonly RouteChange[], nowMs: number): void {
    if (changes.length === 0) return;
    const refused = new Map(this.#dataplane.applyRoutes(changes, nowMs).map((found) => [routeName(found.source, found.group), found.problem]));
    for (const change of changes) {
      const { source, group } = change.kind === 'set' ? change.route : change.key;
      const name = routeName(source, group);
      if (change.kind === 'remove') this.#since.delete(name);
      else if (!this.#since.has(name)) this.#since.set(name, nowMs);
      this.#note(name, source, group, refused.get(name));
    }
  }

  /** Room may have been made for routes that were refused. */
  retry(mrib: Mrib, nowMs: number): void {
    if (this.#problems.size === 0) return;
    const again: WantedRoute[] = [];
    for (const route of mrib.wantedRoutes()) if (this.#problems.has(routeName(route.source, route.group))) again.push(route);
    this.apply(again.map((route) => ({ kind: 'set', route })), nowMs);
  }

  #note(name: string, source: number, group: number, problem: string | undefined): void {
    if (problem === undefined) {
      this.#problems.delete(name);
      return;
    }
    if (this.#problems.get(name) === problem) return;
    this.#problems.set(name, problem);
    this.#refused++;
    const route = `(${source === 0 ? '*' : formatIpv4(source)}, ${formatIpv4(group)})`;
    this.#log.warn({ route, problem }, `route ${route} refused: ${problem}`);
  }
}
