/**
 * The routes of static rules that are ranges. One that has to go stays until the groups it covered have routes of their own again, so
 * that no packet falls between the two.
 */
import type { FlowPrefix } from '../protocol/packet/flow-table';
import { isRangeRule, rangeOfRule } from './group-routes';
import { nameOf, sameRoute, type RouteChange, type RouteKey, type WantedRoute } from './route';
import type { StaticRules } from './static-rules';

export class RangeRoutes {
  /** By nameOf(). */
  readonly #routes = new Map<string, WantedRoute>();
  readonly #leaving = new Map<string, RouteKey>();

  /** Those of rules. */
  get routes(): Iterable<WantedRoute> {
    return this.#routes.values();
  }

  /** `name`: by nameOf(). */
  has(name: string): boolean {
    return this.#routes.has(name);
  }

  /** `name`: by nameOf(). */
  get(name: string): WantedRoute | undefined {
    return this.#routes.get(name);
  }

  /** The rule for this flow has come, changed or gone, or has become a range or stopped being one. */
  follow({ group, source }: FlowPrefix, rules: StaticRules): readonly RouteChange[] {
    const rule = rules.get({ group, source });
    const key = { group: group.address, groupLength: group.length, source: source?.address ?? 0, sourceLength: source?.length ?? 0 };
    const name = nameOf(key);
    const before = this.#routes.get(name);
    if (rule === undefined || !isRangeRule(rule, rules)) {
      if (this.#routes.delete(name)) this.#leaving.set(name, key);
      return [];
    }
    const route = rangeOfRule(rule);
    const isInstalled = before !== undefined && sameRoute(before, route);
    this.#routes.set(name, route);
    return this.#leaving.delete(name) || !isInstalled ? [{ kind: 'set', route }] : [];
  }

  /** The groups have their routes: what had to wait for them goes. */
  release(): readonly RouteChange[] {
    const changes = [...this.#leaving.values()].map((key): RouteChange => ({ kind: 'remove', key }));
    this.#leaving.clear();
    return changes;
  }
}
