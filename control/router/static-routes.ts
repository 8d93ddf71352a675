/**
 * The static routes that are wanted, by the configuration and by the API, as rules of the multicast routing base: those whose interfaces
 * are there. For one flow the configuration decides. Follows changes piece by piece; pure.
 */
import { isDeepStrictEqual } from 'node:util';
import type { StaticRouteSettings } from '../config/settings';
import type { RuleChange, StaticRule } from '../mrib/static-rules';
import type { VportId } from '../mrib/route';
import { FlowTable, type FlowPrefix } from '../protocol/packet/flow-table';
import { NOTHING_WANTED, type StaticSource } from '../static/follower';
import type { Port } from './port';

export class StaticRoutes {
  readonly #configured = new FlowTable<StaticRouteSettings>();
  /** Those of the API. */
  #added = NOTHING_WANTED;
  /** Flows whose rules may have changed. */
  #pending: FlowPrefix[] = [];
  #taken = 0;
  /** All routes, because interfaces have changed. */
  #walk: Iterator<StaticRouteSettings> | undefined;
  #usable: ReadonlyMap<string, VportId> = new Map();
  /** Their numbers, by the list of names: routes share both. */
  #outgoing = new WeakMap<readonly string[], readonly VportId[]>();
  /** Interfaces that have come, gone or changed their number since the walk began. */
  readonly #changed = new Set<string>();

  /** Some rules do not follow yet. */
  get isBehind(): boolean {
    return this.#walk !== undefined || this.#taken < this.#pending.length;
  }

  /** These are in the configuration, and no others. */
  configure(routes: readonly StaticRouteSettings[]): void {
    const wanted = new FlowTable<StaticRouteSettings>();
    for (const route of routes) {
      wanted.set(route);
      if (isDeepStrictEqual(this.#configured.get(route), route)) continue;
      this.#configured.set(route);
      this.#pending.push(route);
    }
    if (wanted.size === this.#configured.size) return;
    for (const route of [...this.#configured.values()]) {
      if (wanted.get(route) !== undefined) continue;
      this.#configured.delete(route);
      this.#pending.push(route);
    }
  }

  /** Beside those of the configuration. */
  follow(added: StaticSource): void {
    this.#added = added;
  }

  changed(flows: readonly FlowPrefix[]): void {
    for (const flow of flows) this.#pending.push(flow);
  }

  /** That keep the route from taking effect; none when it does, or when it is not known. */
  missingInterfaces(flow: FlowPrefix): readonly string[] {
    const route = this.#wanted(flow);
    if (route === undefined || this.#ruleOf(flow).kind === 'set') return [];
    return this.#usable.has(route.upstream) ? route.downstreams : [route.upstream];
  }

  interfacesChanged(ports: readonly Port[]): void {
    const usable = new Map(ports.filter((port) => port.usable).map((port) => [port.name, port.vport]));
    const names = [...new Set([...usable.keys(), ...this.#usable.keys()])].filter((name) => usable.get(name) !== this.#usable.get(name));
    this.#usable = usable;
    if (names.length === 0) return;
    for (const name of names) this.#changed.add(name);
    this.#outgoing = new WeakMap();
    this.#walk = this.#all();
  }

  /** The next rules to follow; looks at so many routes at most. */
  take(routes: number): readonly RuleChange[] {
    const rules: RuleChange[] = [];
    for (let left = routes; left > 0 && this.isBehind; left--) {
      const flow = this.#pending[this.#taken];
      if (flow === undefined) this.#walkOn(rules);
      else {
        this.#taken++;
        rules.push(this.#ruleOf(flow));
      }
    }
    if (this.#taken === this.#pending.length) [this.#pending, this.#taken] = [[], 0];
    return rules;
  }

  #walkOn(rules: RuleChange[]): void {
    const next = this.#walk?.next();
    if (next === undefined || next.done === true) {
      this.#walk = undefined;
      this.#changed.clear();
      return;
    }
    const { upstream, downstreams } = next.value;
    if (this.#changed.has(upstream) || downstreams.some((name) => this.#changed.has(name))) rules.push(this.#ruleOf(next.value));
  }

  *#all(): Iterator<StaticRouteSettings> {
    yield* this.#configured.values();
    yield* this.#added.routes();
  }

  /** A route without its upstream, or without any of its downstream interfaces, replaces nothing until they come. */
  #ruleOf({ group, source }: FlowPrefix): RuleChange {
    const flow = { group, source };
    const route = this.#wanted(flow);
    const incoming = route === undefined ? undefined : this.#usable.get(route.upstream);
    if (route === undefined || incoming === undefined) return { kind: 'remove', flow };
    const outgoing = this.#outgoingOf(route.downstreams);
    if (outgoing.length === 0 && route.downstreams.length > 0) return { kind: 'remove', flow };
    const rule: StaticRule = { group: route.group, source: route.source, incoming, outgoing, ttlThreshold: route.ttlThreshold };
    return { kind: 'set', rule };
  }

  #wanted(flow: FlowPrefix): StaticRouteSettings | undefined {
    return this.#configured.get(flow) ?? this.#added.route(flow);
  }

  #outgoingOf(downstreams: readonly string[]): readonly VportId[] {
    const known = this.#outgoing.get(downstreams);
    if (known !== undefined) return known;
    const outgoing = downstreams.flatMap((name) => this.#usable.get(name) ?? []).sort((a, b) => a - b);
    this.#outgoing.set(downstreams, outgoing);
    return outgoing;
  }
}
