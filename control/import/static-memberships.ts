/**
 * Static memberships by interface while they are gathered: each group once, "every source" before named ones, within our limits.
 */
import type { xmcast } from '#proto';
import { formatIpv4, type Ipv4 } from '../protocol/packet/address';

type StaticGroup = xmcast.v1.StaticGroup.$Properties;

/** The defaults of igmp.max_groups and max_sources_per_group: no membership may depend on another setting. */
export const MAX_GROUPS = 4096;
export const MAX_SOURCES = 128;
/** Sources of all of them, a membership of every source counted as one: what somebody may still look through. */
export const MAX_IN_ALL = 16_384;

export class StaticMemberships {
  /** Interfaces that may have any: not upstreams. */
  readonly #allowed: ReadonlySet<string>;
  /** Name → group → sources; none: every source. */
  readonly #byName = new Map<string, Map<Ipv4, Set<Ipv4>>>();

  #inAll = 0;
  /** Of any interface. */
  readonly #groups = new Set<Ipv4>();

  constructor(allowed: Iterable<string>) {
    this.#allowed = new Set(allowed);
  }

  canHave(name: string): boolean {
    return this.#allowed.has(name);
  }

  has(group: Ipv4): boolean {
    return this.#groups.has(group);
  }

  /** False: there is no room for it. */
  add(name: string, group: Ipv4, sources: readonly Ipv4[]): boolean {
    const groups = this.#byName.get(name) ?? new Map<Ipv4, Set<Ipv4>>();
    this.#byName.set(name, groups);
    const known = groups.get(group);
    if (known === undefined && groups.size >= MAX_GROUPS) return false;
    const isAny = sources.length === 0 || known?.size === 0;
    const merged = new Set(isAny ? [] : [...(known ?? []), ...sources]);
    const added = Math.max(1, merged.size) - (known === undefined ? 0 : Math.max(1, known.size));
    if (merged.size > MAX_SOURCES || this.#inAll + added > MAX_IN_ALL) return false;
    this.#inAll += added;
    groups.set(group, merged);
    this.#groups.add(group);
    return true;
  }

  of(name: string): readonly StaticGroup[] {
    return [...(this.#byName.get(name) ?? [])].map(([group, sources]) => {
      const item: StaticGroup = { group: formatIpv4(group) };
      return sources.size === 0 ? item : { ...item, sources: [...sources].map(formatIpv4) };
    });
  }
}
