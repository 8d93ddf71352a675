/**
 * The routes an operator decided, found by longest match: the group first, then the source. Knows which of them replaces what; makes no
 * routes itself.
 */
import type { Ipv4, Ipv4Prefix } from '../protocol/packet/address';
import { FlowTable, type FlowPrefix } from '../protocol/packet/flow-table';
import type { RouteKey, VportId } from './route';

export interface StaticRule extends FlowPrefix {
  readonly group: Ipv4Prefix;
  /** undefined: every source. */
  readonly source: Ipv4Prefix | undefined;
  readonly incoming: VportId;
  /** Ascending, without the incoming one. */
  readonly outgoing: readonly VportId[];
  /** 0: the interfaces alone decide. */
  readonly ttlThreshold: number;
}

/** A rule comes, in the place of one for the same flow; or the one for this flow goes. */
export type RuleChange = { readonly kind: 'set'; readonly rule: StaticRule } | { readonly kind: 'remove'; readonly flow: FlowPrefix };

const ADDRESS_BITS = 32;

export class StaticRules {
  readonly #rules = new FlowTable<StaticRule>();

  constructor(rules: Iterable<StaticRule> = []) {
    for (const rule of rules) this.#rules.set(rule);
  }

  get size(): number {
    return this.#rules.size;
  }

  change(change: RuleChange): void {
    if (change.kind === 'set') this.#rules.set(change.rule);
    else this.#rules.delete(change.flow);
  }

  get(flow: FlowPrefix): StaticRule | undefined {
    return this.#rules.get(flow);
  }

  /** Whether dynamic routes of this group are replaced: some rule speaks of it. */
  covers(group: Ipv4): boolean {
    return this.#rules.covers(group);
  }

  /** The rule for packets of this source to this group. */
  match(source: Ipv4, group: Ipv4): StaticRule | undefined {
    return this.#rules.match(source, group);
  }

  /** Rules for exactly this group. */
  ofGroup(group: Ipv4): Iterable<StaticRule> {
    return this.#rules.ofGroup(exactly(group))?.values() ?? [];
  }

  /** The rule for every source of exactly this group. */
  star(group: Ipv4): StaticRule | undefined {
    return this.#rules.ofGroup(exactly(group))?.get(undefined);
  }

  /** The rule for exactly this source of exactly this group. */
  exact(source: Ipv4, group: Ipv4): StaticRule | undefined {
    return this.#rules.ofGroup(exactly(group))?.get(exactly(source));
  }

  /** Whether a rule for exactly this group is for a range of its sources. */
  hasSourceRanges(group: Ipv4): boolean {
    return this.#rules.ofGroup(exactly(group))?.hasRanges === true;
  }
}

/** The route that a rule is, in the data plane's words: (S,G), (*,G) or a range. */
export function keyOfRule({ group, source }: FlowPrefix): RouteKey {
  const address = source?.address ?? 0;
  if (group.length === ADDRESS_BITS && (source === undefined || source.length === ADDRESS_BITS)) return { source: address, group: group.address };
  return { source: address, group: group.address, sourceLength: source?.length ?? 0, groupLength: group.length };
}

function exactly(address: Ipv4): Ipv4Prefix {
  return { address, length: ADDRESS_BITS };
}
