/**
 * The routes an operator decided, found by longest match: the group first, then the source. Knows which of them can work now;
 * makes no routes itself.
 */
import { prefixContains, type Ipv4, type Ipv4Prefix } from '../protocol/packet/address';
import { PrefixTable } from '../protocol/packet/prefix-table';
import type { RouteKey, VportId } from './route';

export interface StaticRule {
  readonly group: Ipv4Prefix;
  /** undefined: every source. */
  readonly source: Ipv4Prefix | undefined;
  readonly incoming: VportId;
  /** Ascending, without the incoming one. */
  readonly outgoing: readonly VportId[];
  /** 0: the interfaces alone decide. */
  readonly ttlThreshold: number;
}

const ADDRESS_BITS = 32;

export class StaticRules {
  readonly all: readonly StaticRule[];
  /** The rules of each group, longest source first. */
  readonly #groups = new PrefixTable<StaticRule[]>();

  constructor(rules: readonly StaticRule[]) {
    this.all = rules;
    for (const rule of [...rules].sort((a, b) => (b.source?.length ?? 0) - (a.source?.length ?? 0))) {
      const known = this.#groups.get(rule.group);
      if (known === undefined) this.#groups.set(rule.group, [rule]);
      else known.push(rule);
    }
  }

  /** Whether dynamic routes of this group are replaced: some rule speaks of it. */
  covers(group: Ipv4): boolean {
    return this.all.length > 0 && this.#groups.longest(group) !== undefined;
  }

  /** The rule for packets of this source to this group. */
  match(source: Ipv4, group: Ipv4): StaticRule | undefined {
    for (const rules of this.#groups.containing(group)) {
      const found = rules.find((rule) => rule.source === undefined || prefixContains(rule.source, source));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Rules for exactly this group. */
  ofGroup(group: Ipv4): readonly StaticRule[] {
    return this.#groups.get({ address: group, length: ADDRESS_BITS }) ?? [];
  }
}

/** The route that a rule is, in the data plane's words: (S,G), (*,G) or a range. */
export function keyOfRule({ group, source }: StaticRule): RouteKey {
  const address = source?.address ?? 0;
  if (group.length === ADDRESS_BITS && (source === undefined || source.length === ADDRESS_BITS)) return { source: address, group: group.address };
  return { source: address, group: group.address, sourceLength: source?.length ?? 0, groupLength: group.length };
}
